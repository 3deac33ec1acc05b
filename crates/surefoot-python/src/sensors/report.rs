//! What a sensor says of itself, for `surefoot doctor`.

use pyo3::prelude::*;

use super::{census, gil, machine};

/// One line of the report.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// What is measured.
    pub(crate) name: &'static str,
    /// By what means.
    pub(crate) method: &'static str,
    pub(crate) is_working: bool,
    /// The error or resolution, with its unit; empty if the sensor does not work.
    pub(crate) error: String,
    /// What was found out at the start, or why it does not work.
    pub(crate) reason: String,
}

/// Something that measures, and knows whether it can here.
pub(crate) trait Sensor {
    /// Tries itself, if that is cheap, and tells.
    fn report(&self, py: Python<'_>) -> Report;
}

impl Report {
    /// A report from what a trial returned: what it found, or why it failed.
    pub(crate) fn new(
        name: &'static str,
        method: &'static str,
        error: &str,
        outcome: Result<String, String>,
    ) -> Self {
        let is_working = outcome.is_ok();
        let (Ok(reason) | Err(reason)) = outcome;
        let error = if is_working { error.to_owned() } else { String::new() };
        Self { name, method, is_working, error, reason }
    }
}

/// All sensors. Others join here.
pub(crate) fn all() -> [&'static dyn Sensor; 8] {
    [
        &gil::Lock,
        &gil::Waiters,
        &census::Census,
        &machine::ThreadClocks,
        &machine::RunQueue,
        &machine::Cores,
        &machine::Memory,
        &machine::Heat,
    ]
}
