//! Events of a device with its operating system: what wakes it, what it shows beside a call, whom it asks for names.

use crate::{
    log::BlobRef,
    names::{ActorName, CallId, UserName},
};
use serde::{Deserialize, Serialize};

/// What a device knows of somebody's devices: those whose keys its user compared, or others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// The user never compared a safety number with them.
    #[default]
    Unverified,
    /// They are those that the user verified.
    Verified,
    /// They are others than those that the user verified: a warning.
    Changed,
}

/// A device's app was put to sleep by its operating system, or woken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppSlept {
    /// The device.
    pub device: ActorName,
    /// Whether it sleeps from now on.
    pub asleep: bool,
}

/// A push service was asked to wake a device: all that it learns (view `push`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushAsked {
    /// The push service.
    pub service: ActorName,
    /// Whose token it is; none of one that the service did not give out. The service knows it, the server need not.
    pub device: Option<ActorName>,
    /// The token.
    pub token: BlobRef,
    /// What else it was given.
    pub payload: BlobRef,
}

/// A device asked its resolver for a name, and so told whoever answers for it where it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dns {
    /// The device.
    pub device: ActorName,
    /// The call that gave it the name, if one did.
    pub call: Option<CallId>,
    /// The name.
    pub name: String,
}

/// A device shows the thread with somebody beside its call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ThreadShown {
    /// The device.
    pub device: ActorName,
    /// Whose thread it is with the device's user.
    pub peer: UserName,
    /// How many rows of it the device shows.
    pub rows: u32,
}
