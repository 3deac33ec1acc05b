//! Other people's rules, as controllers, for comparison. They are not offered to users.

pub mod clairvoyant;

pub use clairvoyant::Clairvoyant;
