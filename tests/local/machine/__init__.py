"""What the local cluster, the local meeting and the demo need from this machine.

Packages, caches, long-lived processes, certificates, locks and progress lines: everything that touches the host
and is not about Kubernetes or about meetings lives here, so that those rooms can speak about their own subject.
"""
