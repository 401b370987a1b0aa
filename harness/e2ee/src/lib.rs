//! Identities, sealed envelopes and files, frame encryption, safety numbers. Sans-IO.

pub mod agreement;
pub mod attachment;
pub mod device_list;
pub mod envelope;
pub mod frame;
pub mod identity;
mod replay;
mod safety;

pub use agreement::{AgreementError, CallSecret, CallShare, Transcript};
pub use attachment::AttachmentKey;
pub use device_list::{DeviceChange, DeviceKeys, DeviceLink, DeviceList, ListError};
pub use envelope::{EnvelopeError, EnvelopeHeader, EnvelopeKind, SealedEnvelope};
pub use frame::{FrameKeys, FrameSecret, OpenError, OpenedFrame, Role, SealError, SealedFrame, clear_bytes};
pub use identity::DeviceIdentity;
pub use safety::{SAFETY_NUMBER_DIGITS, safety_number};
