"""Telling others: a chat or another program learns of a release by a webhook."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

import httpx2

from releasing import ReleaseError, add_command, say, secret, warn
from releasing.draft import need_release
from releasing.forge import connect, is_passing, patient, reason
from releasing.project import read_project

SECONDS = 30
MARK = "<!-- announced -->"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add_command(commands, "announce", "tell ANNOUNCE_WEBHOOK_URL of the public release, once", announce)


def announce(options: argparse.Namespace) -> None:
    """Send name, version and page of the release, as Mattermost, Slack, Discord and Rocket.Chat read it."""
    if not secret("ANNOUNCE_WEBHOOK_URL"):
        say("ANNOUNCE_WEBHOOK_URL is not set: nobody is told.")
        return
    project = read_project(options.tag)
    forge = connect()
    release = need_release(forge, project)
    if release.draft:
        raise ReleaseError(f"{project.tag} is a draft: publish it first.")
    if MARK in release.body:
        say(f"{project.tag} was announced already.")
        return
    if options.dry_run:
        say(f"would announce {project.title}")
        return
    text = f"{project.title} is out: {project.url}/releases/tag/{project.tag}"
    details = {"name": project.name, "tag": project.tag, "version": str(project.version), "channel": project.channel}
    if post("ANNOUNCE_WEBHOOK_URL", {"text": text, "content": text, "release": details}):
        forge.edit(release, body=f"{release.body.rstrip()}\n{MARK}\n")
        say(f"announced {project.title}")


def was_not_sent(error: Exception) -> bool:
    """Say whether a message may be sent again: whoever is slow to answer has it, and would act twice."""
    return isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) and is_passing(error)


def post(name: str, content: object) -> bool:
    """Send a message to the address in a secret; that it does not arrive is a warning, for the release is there."""
    url = secret(name)
    host = urlsplit(url).hostname
    if not url.startswith(("https://", "http://")) or not host:
        warn(f"{name} is no address that begins with https://: set the secret again.")
        return False

    def send() -> httpx2.Response:
        return httpx2.post(url, json=content, timeout=SECONDS)

    try:
        answer = patient(send, passes=was_not_sent)
    except httpx2.ReadTimeout:
        warn(f"{name} ({host}) was told, and gave no answer within {SECONDS} s.")
        return True
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        why = reason(error) if isinstance(error, httpx2.TransportError) else "no valid address"
        warn(f"{name} ({host}) was not reached: {why}")
        return False
    if not answer.is_success:
        warn(f"{name} ({host}) answered {answer.status_code}.")
    return answer.is_success
