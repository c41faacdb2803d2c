"""``python -m tests.local.meetings PLATFORM``: shows a page pack to a person, in an ordinary browser."""

from __future__ import annotations

import argparse
import asyncio

from tests.local.machine import cli_errors
from tests.local.machine.certificates import Authority
from tests.local.meetings import packs
from tests.local.meetings.livekit.paths import HERE
from tests.local.meetings.platform_site import PlatformSite
from tests.support.machine_wide import free_loopback


def main() -> int:
    """Exit status 0 after Ctrl-C, or after the list of states."""
    parser = argparse.ArgumentParser(prog="python -m tests.local.meetings", description=(__doc__ or "").strip())
    parser.add_argument("platform", choices=packs.names())
    parser.add_argument("--state", metavar="NAME", help="show this state and no other; without: list them")
    parser.add_argument("--scenario", metavar="NAME", help="let this happen after Join")
    parser.add_argument("--variant", type=int, default=0, help="which form of the elements (default %(default)s)")
    given = parser.parse_args()
    if given.state is None and given.scenario is None:
        pack = packs.load(given.platform)
        print(f"{given.platform}: {pack.origin}")
        print("states:   ", ", ".join(pack.states))
        print("scenarios:", ", ".join(pack.scenarios))
        return 0
    asyncio.run(_serve(given))
    return 0


async def _serve(given: argparse.Namespace) -> None:
    authority = Authority.ensure(HERE.root, "Local meeting: test authority")
    address = free_loopback()
    async with PlatformSite(given.platform, authority, address) as site:
        try:
            link = (
                site.meeting(given.scenario, variant=given.variant, media=True)
                if given.state is None
                else site.address_of(site.at(given.state, variant=given.variant, media=True), given.state)
            )
        except ValueError as error:
            raise SystemExit(str(error)) from None
        rules = ", ".join(f"MAP {host} {address}" for host in site.hosts)
        print(f"{link}\n")
        print(f'chromium --user-data-dir=/tmp/pack --host-resolver-rules="{rules}, MAP * ~NOTFOUND" "{link}"')
        print(f"authority to trust: {authority.certificate}\nCtrl-C ends it", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    cli_errors.run(main)
