"""What is to be built: one pod of one session, and the metadata that pod and Secret share."""

from dataclasses import dataclass
from typing import Any

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import FIRST_BOT, PodId, Role
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.session import API_VERSION, KIND, MeetingSessionSpec


@dataclass(frozen=True, slots=True)
class BotPodInput:
    """One bot, or one finisher, to build manifests for."""

    namespace: str
    session_name: str
    session_uid: str
    spec: MeetingSessionSpec
    bot_class: BotClass
    pod: PodId = FIRST_BOT

    @property
    def session_id(self) -> str:
        """Name of the session's folder."""
        return identity.session_id(self.session_uid)

    @property
    def meets(self) -> bool:
        """Whether the pod goes to a meeting; a finisher does not."""
        return self.pod.role is Role.BOT

    @property
    def name(self) -> str:
        """Name of pod and Secret."""
        return identity.pod_name(self.session_name, self.session_uid, *self.pod)

    def labels(self) -> dict[str, str]:
        """Labels that find the object again; never a link or a person's name."""
        return {
            "app.kubernetes.io/name": "meeting-buddy",
            "app.kubernetes.io/part-of": "meeting-buddy",
            "app.kubernetes.io/managed-by": "meeting-buddy-operator",
            **identity.pod_labels(self.session_uid, self.pod),
        }

    def owner_references(self) -> list[dict[str, Any]]:
        """The session owns what is made for it.

        Without ``blockOwnerDeletion``: it would need a right on the session's finalizers where that is enforced.
        """
        return [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": self.session_name,
                "uid": self.session_uid,
                "controller": True,
            }
        ]
