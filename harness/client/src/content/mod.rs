//! What a message may do to who reads it, and what may leave with it: links, pictures, card numbers.

pub(crate) mod card;
pub(crate) mod link;
pub(crate) mod picture;
