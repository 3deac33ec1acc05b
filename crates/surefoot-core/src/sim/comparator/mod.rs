//! Other people's rules, as controllers, for comparison. They are not offered to users.

pub mod clairvoyant;
pub mod gradient2;
pub mod hill_climbing;
pub mod published;
pub mod queue_depth;

pub use clairvoyant::Clairvoyant;
pub use gradient2::Gradient2;
pub use hill_climbing::HillClimbing;
pub use published::Published;
pub use queue_depth::QueueDepth;
