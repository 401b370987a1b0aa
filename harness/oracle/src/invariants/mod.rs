//! The checkers: a file per family of invariants, a function per truth, named after it.

pub(crate) mod accounts;
pub(crate) mod agreement;
pub(crate) mod call_machine;
pub(crate) mod codes;
pub(crate) mod confidentiality;
pub(crate) mod consent;
pub(crate) mod devices;
pub(crate) mod durability;
pub(crate) mod friend_gating;
pub(crate) mod identity;
pub(crate) mod impersonation;
pub(crate) mod integrity;
pub(crate) mod key_hygiene;
pub(crate) mod off;
pub(crate) mod passwords;
pub(crate) mod path;
pub(crate) mod privacy;
pub(crate) mod push;
pub(crate) mod refusals;
pub(crate) mod relays;
pub(crate) mod rollback;
pub(crate) mod screens;
pub(crate) mod subjects;
pub(crate) mod third_parties;
