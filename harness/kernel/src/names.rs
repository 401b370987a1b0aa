//! Names and identifiers that appear in events: short, cheap to clone, the same in every file of a run.

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, sync::Arc};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// Somebody with an account. Also the account's handle.
    UserName
);
name!(
    /// Anything with an address in the simulation: a device (`alice-phone`), `signaling`, a relay (`relay`).
    ActorName
);
name!(
    /// One direction of an access link: `alice-phone/up`, `alice-phone/down`.
    LinkName
);
name!(
    /// A direct-message thread: the two user names in order, joined by `+`.
    ThreadId
);

impl ThreadId {
    /// The thread of two users; the same whichever is named first.
    pub fn between(one: &UserName, other: &UserName) -> ThreadId {
        let (a, b) = if one <= other { (one, other) } else { (other, one) };
        ThreadId::from(format!("{a}+{b}"))
    }

    /// The two users of the thread, or `None` when the text is not a thread's.
    pub fn users(&self) -> Option<(UserName, UserName)> {
        let (a, b) = self.as_str().split_once('+')?;
        Some((a.into(), b.into()))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return <[u8; 16]>::deserialize(deserializer).map($name);
                }
                let text = String::deserialize(deserializer)?;
                let mut id = [0; 16];
                from_hex(&text, &mut id).ok_or_else(|| serde::de::Error::custom("an id is 32 hexadecimal digits"))?;
                Ok($name(id))
            }
        }
    };
}

id!(
    /// A call: 128 random bits chosen by the caller, never reused.
    CallId
);
id!(
    /// A direct message: 128 random bits chosen by the writer's device, never reused.
    MessageId
);
id!(
    /// A file that goes beside a message: 128 random bits chosen by the writer's device, never reused.
    AttachmentId
);

/// Reads hexadecimal digits into `bytes`; `None` when the length or a digit is wrong.
pub fn from_hex(text: &str, bytes: &mut [u8]) -> Option<()> {
    if text.len() != bytes.len() * 2 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(())
}

/// Bytes as lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A media track of a device. Each device sends at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The microphone.
    Audio,
    /// The camera.
    Video,
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Track::Audio => "audio",
            Track::Video => "video",
        })
    }
}
