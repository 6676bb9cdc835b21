"""The ``spillway`` command. Each subcommand lives in a file of its own and is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click
from click.shell_completion import CompletionItem

from pipeline.cli.manners import HelpfulGroup, helpful

_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("pipeline.cli.demo", "Play three real-life failures through real Kafka, with one command."),
    "run": ("pipeline.cli.run", "Run all stages, or the named ones."),
    "gateway": ("pipeline.cli.gateway", "Take messages over HTTP and write them to Kafka."),
    "watch": ("pipeline.cli.watch", "Send a probe through the pipeline; ping elsewhere while it gets through."),
    "console": ("pipeline.cli.console", "Show incidents on web pages and by an HTTP API; take commands."),
    "health": ("pipeline.cli.health", "Ask the process beside this one whether it is alive, or ready."),
    "replay": ("pipeline.cli.replay", "Decide a recording again, without a broker, byte for byte the same."),
    "capture": ("pipeline.cli.capture", "Record live topics to a recording."),
    "backtest": ("pipeline.cli.backtest", "Say what another configuration would have made of a recording."),
    "shadow": ("pipeline.cli.shadow", "Try another configuration on the live stream, beside the active one."),
    "explain": ("pipeline.cli.explain", "Say why an alert, episode or incident is where it is."),
    "catalog": ("pipeline.cli.catalog", "Bring what other systems know of your services into the catalogue."),
    "config": ("pipeline.cli.config", "Check, lint, test, show and describe a configuration directory."),
    "oncall": ("pipeline.cli.oncall", "Say who is on call and what if nobody; show schedules, find gaps."),
    "policy": ("pipeline.cli.policy", "Show and compare policy packs; preview what a change does to open incidents."),
    "correlation": ("pipeline.cli.correlation", "Learn correlation rules from what people merged and split."),
    "topics": ("pipeline.cli.topics", "Plan and apply the Kafka topics; show who needs what of them."),
    "dead-letter": ("pipeline.cli.dead_letter", "List, show and retry records that could not be processed."),
    "feed": ("pipeline.cli.feed", "Try a source's payload against its adapter."),
    "incident": ("pipeline.cli.incident", "List and show incidents; acknowledge, resolve, merge, split, link."),
    "search": ("pipeline.cli.search", "Find incidents by what was said, by names; past ones that are like one."),
    "problem": ("pipeline.cli.problem", "What lies behind incidents that come back, and what is done about it."),
    "audit": ("pipeline.cli.audit", "Export what was done to incidents as an audit; verify that nobody changed it."),
    "communication": (
        "pipeline.cli.communication",
        "What each audience reads of an incident; say something to it.",
    ),
    "sink": ("pipeline.cli.sink", "How the sinks stand; retry, reconcile drift, test credentials."),
    "token": ("pipeline.cli.token", "Make, list and revoke API tokens of the console."),
    "silence": ("pipeline.cli.silence", "Mute what people know of, for a time, with an owner; list what is muted."),
    "suppression": ("pipeline.cli.suppression", "What was hidden from people, by what, and who was not called for it."),
    "records": ("pipeline.cli.records_store", "The records store: how it stands, made anew, compared, retention."),
    "completion": ("pipeline.cli.manners", "Make a shell complete commands, options and values."),
    "stats": ("pipeline.cli.stats", "Figures of what came in and what became of it."),
}


class _LazyGroup(HelpfulGroup):
    """A group that imports a subcommand only when it is asked for, so that the command starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(_COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name.replace("-", "_"))
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__} does not export a command named {cmd_name}")
        return helpful(command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, without importing them: who presses a key does not wait."""
        names = [
            CompletionItem(name, help=purpose)
            for name, (_, purpose) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names or click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, purpose) for name, (_, purpose) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spillway")
def main() -> None:
    """Spillway turns floods of alerts into few, well-run incidents."""
