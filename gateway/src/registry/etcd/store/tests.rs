//! Facts about the registry in etcd, with a real one.
