"""What people bring to the fields of a run: anchors, layers, vectors, a filled map."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from miner.errors import UsageError
from miner.fields import Fields, remake_fields
from miner.fields.layers import Layer, drop_layer, read_texts, read_vectors, write_layer
from miner.lexicon.lexicon import Lexicon
from miner.lexicon.semiotic import read_map
from miner.progress import SILENT, Progress
from miner.report.screen import spell
from miner.runs.decisions import Policy
from miner.runs.manifest import read_manifest

SHOWN = 5


@dataclass(frozen=True)
class FieldsConfig:
    """What `miner fields` is asked for."""

    run: Path
    facets: Path | None = None
    layers: Sequence[Path] = ()
    attach: Sequence[str] = ()
    encoder: str | None = None
    drop: Sequence[str] = ()
    filled: Path | None = None
    reviewer: str | None = None
    policy: Policy = "majority"


def fill_fields(config: FieldsConfig, progress: Progress = SILENT) -> str:
    """Take over what people bring, tell the fields anew, and return what they are now."""
    read_manifest(config.run)
    brought = [layer for file in config.layers for layer in read_texts(file)]
    brought += [_read_attached(entry, config.encoder) for entry in config.attach]
    if config.encoder and not config.attach:
        raise UsageError("--encoder says what made vectors", cure="Name them with --attach")
    fields = remake_fields(config.run, facets=config.facets, policy=config.policy)
    for name in config.drop:
        drop_layer(config.run, name)
    for layer in brought:
        write_layer(config.run, layer)
    lexicon = Lexicon(config.run, policy=config.policy)
    lines = [*_tell_facets(lexicon), _tell_addresses(fields)]
    lines += [_tell_layer(lexicon, layer) for layer in lexicon.layers.values()]
    if config.filled:
        taken = read_map(lexicon, config.filled, reviewer=config.reviewer or getpass.getuser())
        lines.append(f"map: {taken.operations:,} operations and {taken.meanings:,} meanings taken")
        if taken.unknown:
            progress.note(
                f"{len(taken.unknown):,} tokens are no units, such as {spell(taken.unknown[0])}"
            )
    return "\n".join(lines)


def _read_attached(entry: str, encoder: str | None) -> Layer:
    name, found, file = entry.partition("=")
    if not found or not file:
        raise UsageError(f"--attach is {entry!r}", cure="Write it NAME=TABLE")
    return read_vectors(name, Path(file), encoder=encoder)


def _tell_facets(lexicon: Lexicon) -> list[str]:
    """Return the units that carry most of each facet, and facets that nothing is known of."""
    space, about = lexicon.fields.space, lexicon.fields.about
    told = space.tell(lexicon.vectors)
    tokens = lexicon.units["token"]
    lines = []
    for name in space.facets:
        order = told[name].fill_null(-2).arg_sort(descending=True)[:SHOWN]
        best = ", ".join(spell(token) for token in tokens.gather(order))
        lines.append(f"facet {name}, by {len(about['facets'][name])} anchors: {best}")
    lost = [name for name in about.get("anchors", {}) if name not in space.facets]
    if lost:
        lines.append(f"no facet {', '.join(lost)}: too few anchors are in the corpus; name others")
    return lines


def _tell_addresses(fields: Fields) -> str:
    """Return the table of what a shared beginning of an address means."""
    lines = ["addresses:  signs   groups     pairs   mean cosine"]
    for row in fields.about.get("prefixes", []):
        cosine = "-" if row["cosine"] is None else f"{row['cosine']:.3f}"
        lines.append(f"{row['signs']:>17}{row['groups']:>9,}{row['pairs']:>12,}{cosine:>12}")
    back = fields.about.get("return", {})
    if back:
        lines.append(
            f"the unit nearest to an address is its own in {back['first']:.0%}, one of the nearest "
            f"ten in {back['ten']:.0%}"
        )
    return "\n".join(lines)


def _tell_layer(lexicon: Lexicon, layer: Layer) -> str:
    tokens = layer.table["token"].drop_nulls().unique()
    known = sum(lexicon.find(token) is not None for token in tokens)
    what = "values" if layer.rows is None else f"vectors of {layer.rows.shape[1]}"
    units = f"{known:,} of {len(tokens):,} tokens are units"
    return f"layer {layer.name}: {layer.table.height:,} {what}, {units}"
