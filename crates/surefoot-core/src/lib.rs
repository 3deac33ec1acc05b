//! The heart of surefoot, in pure Rust: the pool protocol, what is measured of each task, the
//! controllers that choose how many workers may run, and the records that everything else reads.
//!
//! Data flows one way: a [`sample::Sample`] per finished task, a [`window::Window`] per control
//! period, a [`decision::Decision`] per window, and the limit that the [`pool::Pool`] enforces. No
//! module here knows Python.
//!
//! ```
//! use surefoot_core::controller::{Controller, Paper};
//! use surefoot_core::window::Window;
//!
//! let mut paper = Paper::default();
//! let waiting = Window { limit: 4, cap: 64, queue_length: 9, beta_mean: Some(0.9), ..Window::default() };
//! assert_eq!(paper.decide(&waiting).limit, 5);
//! ```
#![forbid(unsafe_code)]

pub mod allowance;
pub mod capacity;
pub mod clock;
mod control_groups;
pub mod controller;
pub mod decision;
pub mod distribution;
pub mod found;
pub mod gil;
pub mod ledger;
pub mod liveness;
pub mod look;
pub mod monitor;
pub mod observation;
pub mod parker;
pub mod placement;
pub mod pool;
pub mod regulator;
pub mod sample;
pub mod share;
#[cfg(not(surefoot_loom))]
pub mod sim;
pub mod snapshot;
pub mod snapshot_file;
pub mod spectrum;
pub mod spin;
pub mod starvation;
pub mod sync;
pub mod window;
