//! What is special about paths: elements.

/// A prefix that ends before `at` ends an element of `path` there.
pub(crate) fn prefix_ends_at(path: &[u8], at: usize) -> bool {
    path.get(at).is_none_or(|&next| next == b'/')
}

/// `path` is `/service/method` for this method and some service.
pub(crate) fn is_grpc_method(path: &[u8], method: &str) -> bool {
    let mut elements = path.split(|&b| b == b'/');
    elements.next() == Some(b"")
        && elements.next().is_some_and(|service| !service.is_empty())
        && elements.next() == Some(method.as_bytes())
        && elements.next().is_none()
}
