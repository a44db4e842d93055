from __future__ import annotations

from pathlib import Path

from bench.commands.reporting import summary


def test_the_gist_of_a_report(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "mini" / "abc"
    folder.mkdir(parents=True)
    (folder / "correlations.csv").write_text(
        "task,proxy,n,kendall,kendall_low,kendall_high\n"
        "a/x,params,10,0.5,0.4,0.6\na/x,jacov,9,0.7,0.6,0.8\na/x,epe_nas,9,,,\n"
        "a/y,epe_nas,9,,,\na/z,jacov,9,0.7,,\n"
    )
    (folder / "searches.csv").write_text(
        'task,searcher,regret\na/x,random,2.0\na/x,"evolution,warm=jacov",1.0\na/x,rank,\n'
    )
    written = [folder / "correlations.csv", folder / "searches.csv", folder / "README.md"]
    assert list(summary(written)) == [
        {
            "study": "mini",
            "task": "a/x",
            "n": 9,
            "best_proxy": "jacov",
            "kendall": 0.7,
            "kendall_low": 0.6,
            "kendall_high": 0.8,
            "kendall_of_params": 0.5,
            "best_searcher": "evolution,warm=jacov",
            "regret": 1.0,
        },
        {"study": "mini", "task": "a/y"},
        {
            "study": "mini",
            "task": "a/z",
            "n": 9,
            "best_proxy": "jacov",
            "kendall": 0.7,
            "kendall_low": None,
            "kendall_high": None,
        },
    ]
    (folder / "searches.csv").unlink()
    assert "regret" not in next(iter(summary(written)))
