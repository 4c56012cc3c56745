# SPDX-License-Identifier: Apache-2.0
"""Rules of the top function: an interface directive for every port."""

from collections.abc import Iterator

from sim.hls_check.source import Fault
from sim.hls_check.tree import Unit, directives

__all__ = ["interface_faults"]


def interface_faults(unit: Unit, top: str) -> Iterator[Fault]:
    """The faults of the function `top`."""
    functions = unit.named(top)
    if len(functions) != 1:
        yield unit.source.fault(0, "top", f"{len(functions)} functions are called {top}")
        return
    [function] = functions
    line = function.body.start_point[0]
    modes: dict[str, dict[str, dict[str, str]]] = {}
    for text, _ in directives(function.body):
        words = text.split()
        if words[0] != "INTERFACE":
            continue
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        modes.setdefault(options.get("port", ""), {})[options.get("mode", "")] = options
    bundles: dict[str, str] = {}
    for parameter in function.parameters:
        name, found = parameter.name, modes.pop(parameter.name, {})
        if "burst_maxi" not in parameter.type and "*" not in parameter.type:
            if "s_axilite" not in found:
                yield unit.source.fault(line, "interface", f"{name} has no s_axilite interface")
            continue
        for mode in ("m_axi", "s_axilite"):
            if mode not in found:
                yield unit.source.fault(line, "interface", f"{name} has no {mode} interface")
        bundle = found.get("m_axi", {}).get("bundle", "gmem")
        if bundle in bundles:
            text = f"{name} and {bundles[bundle]} share the bundle {bundle}"
            yield unit.source.fault(line, "bundle", text)
        bundles[bundle] = name
    if "s_axilite" not in modes.pop("return", {}):
        yield unit.source.fault(line, "interface", "return has no s_axilite interface")
    for name in modes:
        yield unit.source.fault(line, "interface", f"{name} is no port")
