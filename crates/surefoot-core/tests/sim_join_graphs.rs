//! No random program of tasks that wait for each other stands still while a worker could be had.
#![cfg(not(surefoot_loom))]

use std::collections::HashMap;

use surefoot_core::sim::join_graph::{JoinGraph, Verdict};

/// Standard-pool timings tried for a program that jams ours alone.
const TIMINGS: u64 = 2_000;

/// Runs programs until `count` of them count: those that the standard pool can finish.
fn search(first_seed: u64, count: u64) {
    let (mut depth, mut fan_out) = (0, 0);
    let mut verdicts: HashMap<Verdict, u64> = HashMap::new();
    let mut counted = 0;
    for seed in first_seed.. {
        let graph = JoinGraph::new(seed);
        let (verdict, rescues) = graph.verdict();
        assert_ne!(verdict, Verdict::Deadlock, "seed {seed}: {graph:?}");
        assert!(
            rescues == 0 || verdict != Verdict::Finished,
            "seed {seed}: only the guard helped: {graph:?}"
        );
        if verdict == Verdict::OursJams {
            // The argument says that the standard pool can jam too; so show it.
            assert!(graph.jams_standard(TIMINGS), "seed {seed}: {graph:?}");
        }
        *verdicts.entry(verdict).or_default() += 1;
        depth = depth.max(graph.depth);
        fan_out = fan_out.max(graph.fan_out);
        counted += u64::from(matches!(verdict, Verdict::Finished | Verdict::OursOnly));
        if counted == count {
            break;
        }
    }
    println!("{verdicts:?}, depth up to {depth}, fan-out up to {fan_out}");
    assert!(depth == 64 && fan_out == 16, "the search reaches depth {depth} and fan-out {fan_out} only");
}

#[test]
fn ten_thousand_join_graphs() {
    search(0, 10_000);
}

/// `make simulate` runs it, optimised.
#[test]
#[ignore = "a million take a minute when optimised"]
fn a_million_join_graphs() {
    search(1_000_000_000, 1_000_000);
}
