//! What the operating system and the interpreter tell about threads and about the machine.

pub(crate) mod allowance;
pub(crate) mod census;
pub(crate) mod clocks;
pub(crate) mod gil;
pub(crate) mod machine;
pub(crate) mod meter;
pub(crate) mod own_delay;
pub(crate) mod python;
pub(crate) mod report;
pub(crate) mod rivals;
pub(crate) mod schedstat;
