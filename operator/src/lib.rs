//! The operator: makes the tiers of a topology in a cluster, and says what is wrong.
