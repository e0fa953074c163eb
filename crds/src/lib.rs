//! Bailey's Kubernetes API types, their validation rules and the condition vocabulary.
