//! Bailey's command line: the whole topology on one machine, and tools to understand it.
