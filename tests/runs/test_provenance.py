"""What a machine is called, and that results of another one are not gone on with unsaid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.base import DataError
from bench.runs import provenance, streamed
from bench.runs.provenance import check_machine, machine, require_own

AMD = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 26
model		: 2
model name	: AMD EPYC 9B45 64-Core Processor
stepping	: 1
flags		: fpu sse sse2 avx f16c avx2 avx512f

processor	: 1
model name	: another
"""
INTEL = """\
processor	: 0
cpu family	: 6
model		: 143
model name	: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags		: fpu sse2 avx avx2
"""
ARM = """\
processor	: 0
Features	: fp asimd evtstrm aes
CPU implementer	: 0x41
CPU part	: 0xd0c
"""


@pytest.fixture(autouse=True)
def _linux(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in provenance._SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    provenance._told.cache_clear()
    yield
    provenance._told.cache_clear()


def on(folder: Path, cpuinfo: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (folder / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(provenance, "_CPUINFO", folder / "cpuinfo")
    provenance._told.cache_clear()
    return machine()


def test_a_machine_is_its_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on(tmp_path, AMD, monkeypatch) == "linux-x86_64-2cpu-amd-epyc-9b45-26-2-avx512"
    assert provenance.processor() == "AMD EPYC 9B45 64-Core Processor"
    assert on(tmp_path, INTEL, monkeypatch) == (
        "linux-x86_64-2cpu-intel-xeon-platinum-8481c-6-143-avx2"
    )
    # A hypervisor may give the name alone away, and hide what the processor can do.
    hidden = AMD.replace(" avx2 avx512f", "")
    assert on(tmp_path, hidden, monkeypatch) == "linux-x86_64-2cpu-amd-epyc-9b45-26-2-avx"
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert on(tmp_path, ARM, monkeypatch) == "linux-aarch64-2cpu-0xd0c-neon"
    assert provenance.processor() == "aarch64"


def test_a_system_that_tells_nothing_has_its_architecture_and_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_CPUINFO", tmp_path / "none")
    assert machine() == "linux-x86_64-2cpu"


def test_what_libraries_are_told_to_take_the_processor_for_is_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = on(tmp_path, AMD, monkeypatch)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    nehalem = machine()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    haswell = machine()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert len({plain, nehalem, haswell, machine()}) == 4
    assert nehalem.startswith(f"{plain}-as-")
    assert provenance.processor_settings() == {
        "ATEN_CPU_CAPABILITY": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
    }


def test_how_memory_is_allocated_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = machine()
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=1")
    assert machine() == plain
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=1:glibc.cpu.hwcaps=-AVX2")
    assert machine() != plain


def test_a_machine_s_name_is_a_folder_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = AMD.replace("AMD EPYC 9B45 64-Core Processor", "../Odd (R) // name\\ é*")
    assert on(tmp_path, odd, monkeypatch) == "linux-x86_64-2cpu-odd-name-26-2-avx512"


def test_results_of_another_processor_are_not_gone_on_with(tmp_path: Path) -> None:
    own = provenance.folder_of(tmp_path, "mine")
    require_own(own)  # nothing is there
    earlier = own.with_name(f"{provenance.commit()}-linux-x86_64-2cpu")
    earlier.mkdir(parents=True)
    with pytest.raises(DataError, match=rf"got {earlier.name} alone, of another processor") as told:
        streamed.folder_for(tmp_path, "mine", resume=True, stream=".live.jsonl")
    assert "without --resume a run begins beside it" in str(told.value)
    assert streamed.folder_for(tmp_path, "mine", resume=False, stream=".live.jsonl") == own
    own.mkdir()
    assert streamed.folder_for(tmp_path, "mine", resume=True, stream=".live.jsonl") == own


def test_results_of_another_commit_are_nobody_s_business(tmp_path: Path) -> None:
    (tmp_path / "mine" / "c0ffee-linux-x86_64-2cpu").mkdir(parents=True)
    require_own(provenance.folder_of(tmp_path, "mine"))


def test_a_folder_that_was_renamed_says_whose_rows_it_holds(tmp_path: Path) -> None:
    check_machine(tmp_path, machine())
    check_machine(tmp_path, None)
    with pytest.raises(DataError, match=f"of the machine another, and this one is {machine()}"):
        check_machine(tmp_path, "another")


def test_a_stream_of_another_machine_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.runs.live import LiveRun

    run = LiveRun("toy", 1, "0" * 64, ("sum",), "noise")
    folder = tmp_path / "mine" / "here"

    def claim() -> None:
        with streamed.opened(folder) as store:
            streamed.claim(store, run, {"data_sha256": {}, "workers": 1}, ".live.jsonl")

    claim()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    before = (folder / "provenance.json").read_bytes()
    with pytest.raises(DataError, match="holds results of the machine linux-x86_64-2cpu"):
        claim()
    assert (folder / "provenance.json").read_bytes() == before
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    claim()
    assert json.loads(before)["processor_settings"] == {}
