//! Kubernetes objects in, intermediate representation and diagnostics out.
