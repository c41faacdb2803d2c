"""What the API server demands of names, keys and addresses, as patterns that pydantic and the values' schema share.

Each pattern is plain enough for both engines (Rust's and Go's: no look-around). Rules: apimachinery ``util/validation``
and ``pkg/apis/core/validation``, as of the lowest Kubernetes version that the chart supports.
"""

from typing import Annotated, Final

from pydantic import Field

from meeting_buddy.contract.languages import CODE_PATTERN

_SUBDOMAIN: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_OCTET: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = rf"({_OCTET}\.){{3}}{_OCTET}"
_GROUP: Final = r"[0-9A-Fa-f]{1,4}"
_IPV6: Final = "|".join(
    (
        rf"({_GROUP}:){{7}}{_GROUP}",
        rf"({_GROUP}:){{1,7}}:",
        *(rf"({_GROUP}:){{1,{7 - tail}}}(:{_GROUP}){{1,{tail}}}" for tail in range(1, 7)),
        rf":((:{_GROUP}){{1,7}}|:)",
    )
)
# As containerd and the kubelet read it; a name without a dot or a port is no host, unless it is localhost.
_IMAGE_PART: Final = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_HOST_LABEL: Final = r"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"
_IMAGE_HOST: Final = (
    rf"({_HOST_LABEL}(\.{_HOST_LABEL})+(:[0-9]{{1,5}})?|({_HOST_LABEL}|\[[0-9A-Fa-f:]+\]):[0-9]{{1,5}}|localhost)"
)
_IMAGE_NAME: Final = rf"({_IMAGE_HOST}/)?{_IMAGE_PART}(/{_IMAGE_PART})*"
_IMAGE_TAG: Final = r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}"
# What no environment takes, and what the chart's JSON leaves unescaped although YAML does not take it.
_UNUSABLE: Final = r"\x00\x7f-\x9f" + "\ufffe\uffff"
_PATH_ELEMENT: Final = rf"([^/.{_UNUSABLE}]|\.[^/.{_UNUSABLE}]|\.\.[^/{_UNUSABLE}])[^/{_UNUSABLE}]*"

DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_SUBDOMAIN: Final = rf"^{_SUBDOMAIN}$"
LABEL_KEY: Final = rf"^({_SUBDOMAIN}/)?{_NAME}$"
LABEL_VALUE: Final = rf"^({_NAME})?$"
QUALIFIED_NAME: Final = rf"{_SUBDOMAIN}/{_NAME}"
"""Part of a pattern: a name with its domain."""
HUGE_PAGES: Final = rf"hugepages-{_NAME}"
"""Part of a pattern: the resource of huge pages of one size."""
CONFIG_KEY: Final = r"^([-_a-zA-Z0-9]|\.[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$"
ENV_NAME: Final = r"^([-_a-zA-Z]|\.[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$"
IP_ADDRESS: Final = rf"^({_IPV4}|{_IPV6})$"
DESCENDING_PATH: Final = rf"^{_PATH_ELEMENT}(/{_PATH_ELEMENT})*$"
ABSOLUTE_PATH: Final = rf"^/[^{_UNUSABLE}]*$"
HOST_FOLDER: Final = rf"^(/+{_PATH_ELEMENT})+/*$"
"""Absolute path without ``..``, which Kubernetes refuses in a ``hostPath``."""
IMAGE_TAG: Final = rf"^({_IMAGE_TAG})?$"
IMAGE_REPOSITORY: Final = rf"^({_IMAGE_NAME})?$"
IMAGE_REFERENCE: Final = rf"^{_IMAGE_NAME}(:{_IMAGE_TAG})?(@[-A-Za-z0-9_+.]+:[0-9A-Fa-f]+)?$"
HTTP_URL: Final = rf"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{{1,5}})?(/[^\s?#{_UNUSABLE}]*)?$"
TEXT: Final = rf"^[^{_UNUSABLE}]*$"

DnsLabel = Annotated[str, Field(pattern=DNS_LABEL)]
"""Name of a namespace."""
DnsName = Annotated[str, Field(pattern=DNS_SUBDOMAIN, max_length=253)]
"""Name of most other objects, and of a host."""
LabelKey = Annotated[str, Field(pattern=LABEL_KEY, max_length=253)]
"""Key of a label or an annotation. Kubernetes allows 64 more characters, but its prefix 253 by itself."""
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE)]
ConfigKey = Annotated[str, Field(pattern=CONFIG_KEY, max_length=253)]
"""Key inside a ConfigMap or a Secret."""
EnvName = Annotated[str, Field(pattern=ENV_NAME)]
Text = Annotated[str, Field(pattern=TEXT)]
"""What somebody writes freely, of more than one line, too: without characters that would not arrive."""
IpAddress = Annotated[str, Field(pattern=IP_ADDRESS, description="IPv4 or IPv6 address.")]
DescendingPath = Annotated[str, Field(pattern=DESCENDING_PATH, max_length=4096)]
"""Relative path without ``..``."""
ContainerPath = Annotated[str, Field(pattern=ABSOLUTE_PATH, max_length=4096)]
HttpUrl = Annotated[str, Field(pattern=HTTP_URL, max_length=2048)]
"""Without user, query and fragment: it is shown to people."""
LanguageCode = Annotated[str, Field(pattern=CODE_PATTERN)]
ImageReference = Annotated[str, Field(pattern=IMAGE_REFERENCE, max_length=4096)]
