//! Route tables: intermediate representation, compilation, lookup and the plan for a request.
