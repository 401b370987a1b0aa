//! Events of direct messages: what a device shows of its threads, and what leaves it for them.

use crate::{
    log::BlobRef,
    names::{ActorName, MessageId, ThreadId, UserName},
};
use serde::{Deserialize, Serialize};

/// What is attached to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attached {
    /// A photograph as the camera of the device took it, with what cameras write into files.
    Picture,
    /// Where the device is.
    Location,
}

/// A device has a message of a thread, and shows it when its user looks there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageRow {
    /// The device.
    pub device: ActorName,
    /// The thread.
    pub thread: ThreadId,
    /// The message.
    pub message: MessageId,
    /// Who wrote it.
    pub sender: UserName,
    /// What it says; none on a device that no body was sealed for.
    pub text: Option<String>,
    /// What goes with it.
    pub attached: Option<Attached>,
}

/// A device shows that a stranger asks to write.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ThreadAsked {
    /// The device.
    pub device: ActorName,
    /// Who asks.
    pub from: UserName,
}

/// A device shows how far a message came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReceiptShown {
    /// The device.
    pub device: ActorName,
    /// The message, and with it all before it.
    pub message: MessageId,
    /// Whose devices have it.
    pub by: UserName,
    /// Whether it was read, or only delivered.
    pub read: bool,
}

/// A device holds a message back until its user says once more that it should go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageHeld {
    /// The device.
    pub device: ActorName,
    /// The message.
    pub message: MessageId,
    /// To whom it would go.
    pub to: UserName,
    /// The warning that is shown: `card_number`; `not_sent` where the server does not take it, or gives no keys; `no_picture` where
    /// what was to go with it is none, or larger than any: that message is not kept.
    pub warning: String,
}

/// A device shows a link in a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkShown {
    /// The device.
    pub device: ActorName,
    /// The message.
    pub message: MessageId,
    /// As it was written.
    pub written: String,
    /// As it is shown.
    pub shown: String,
    /// Where a tap leads; none for what cannot be opened.
    pub opens: Option<String>,
}

/// A device asked a host of the internet for something that is not the service's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fetched {
    /// The device.
    pub device: ActorName,
    /// What it asked for.
    pub url: String,
}

/// A picture leaves a device, sealed beside a message or as the avatar of its user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PictureSent {
    /// The device.
    pub device: ActorName,
    /// The message; none for an avatar.
    pub message: Option<MessageId>,
    /// The file, before it is sealed.
    pub bytes: BlobRef,
}

/// A device shows a picture: of a message, or the avatar of somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PictureShown {
    /// The device.
    pub device: ActorName,
    /// Who sent it, or whose avatar it is.
    pub user: UserName,
    /// The message; none for an avatar.
    pub message: Option<MessageId>,
    /// BLAKE3 of the file, in hexadecimal; none where the device says that the picture cannot be opened.
    pub hash: Option<String>,
}
