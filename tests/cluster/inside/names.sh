# Addresses and folders inside a cluster's namespaces. Sourced by the other scripts here.
R=/run/cluster                  # the cluster's state; the same folder is seen from outside under another name
P=/run/programs                 # kubernetes/ etcd/ dns/ node/ gateway/
node_ip=172.30.0.1              # exists only in this network namespace, which has no way out
pods=10.244.0.0/16
services=10.96.0.0/16
dns_ip=10.96.0.10
names_ip=10.96.0.53             # a Service that tests make
client_gateway=198.51.100.1     # the node's side of the wire to the client
client_ip=198.51.100.7
kubectl() { "$P/kubernetes/kubectl" --kubeconfig "$R/admin.kubeconfig" "$@"; }
