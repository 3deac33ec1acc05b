//! The simulator: a plant in virtual time that drives the real pool, regulator and controllers.
//!
//! ```
//! use surefoot_core::sim::{contender, optimum, plant, scenario};
//!
//! let scenarios = scenario::all();
//! let stated = scenarios.iter().find(|scenario| scenario.name == "stated").expect("it is in the list");
//! let optimum = optimum::find(stated);
//! // The knee of 10 ms under the GIL and 50 ms of sleep: (10 + 50) / 10.
//! assert!((5..=7).contains(&optimum.turns[0].knee));
//!
//! let paper = contender::ALL[0].rule(&stated.setup, &optimum);
//! let trace = plant::run(&stated.setup, paper, 1, 2_000_000_000);
//! assert!(trace.tasks_per_s(1_000_000_000, 2_000_000_000) > 90.0);
//! ```
//!
//! Equal seeds give equal runs: there is no thread, no clock and no hash order in it. One scenario
//! of 10 s takes some milliseconds to some tenths of a second.
//!
//! - [`plant`]: the machine, the interpreter and the tasks; [`machine`], [`load`], [`sensors`] say of
//!   what kind, [`random`] draws.
//! - [`scenario`]: what is run; [`optimum`]: the best that a constant limit reaches in it.
//! - [`contender`]: who is compared, [`comparator`] being other people's rules.
//! - [`trace`] is what a run leaves, [`score`] what it comes to.
//! - [`join_graph`]: random programs of tasks that wait for each other.
//! - [`mva`]: the theory that the plant is held against.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times and numbers of a simulation are positive and far below what an integer holds"
)]

pub mod comparator;
pub mod contender;
pub mod contest;
pub mod join_graph;
pub mod load;
pub mod machine;
pub mod mva;
pub mod optimum;
pub mod plant;
pub mod random;
pub mod scenario;
pub mod score;
pub mod sensors;
pub mod trace;
