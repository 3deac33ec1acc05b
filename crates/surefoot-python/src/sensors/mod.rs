//! What the operating system tells about threads.

pub(crate) mod clocks;
