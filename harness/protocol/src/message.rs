//! Messages of the signaling protocol. On the wire: postcard, in frames of the channel (a 4-byte big-endian length).

use crate::{call_end::CallEnd, epoch::SignedEpoch, push::PushToken, relay_grant::RelayGrant, thread::RowEntry};
use e2ee::{DeviceKeys, DeviceLink, SealedEnvelope};
use kernel::{
    event::Setting,
    names::{ActorName, AttachmentId, CallId, MessageId, UserName},
    time::Micros,
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Version of the protocol. The server refuses a client below its minimum.
pub const PROTOCOL_VERSION: u16 = 1;

/// Joins a request and its answer on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub u32);

/// What a device says to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// Creates an account and signs this device in. Answered by `SignedIn` or `Refused`.
    SignUp {
        /// Joins the answer.
        request: RequestId,
        /// Protocol version of the client.
        version: u16,
        /// The password, inside TLS; stored only as an Argon2id hash.
        password: String,
        /// Public keys of the device; its `user` is the name that is asked for.
        keys: DeviceKeys,
        /// The first link of the user's list of devices: this one.
        first: Box<DeviceLink>,
    },
    /// Presents a session token on a new connection. Answered by `SignedIn` or `NotAttached`.
    Attach {
        /// Joins the answer.
        request: RequestId,
        /// Protocol version of the client.
        version: u16,
        /// The token.
        token: String,
        /// The number of the last row that this device has; 0 for none.
        rows: u32,
        /// The server's last word about its store: who shows one hears the newest, also with a refusal.
        shown: Option<SignedEpoch>,
    },
    /// Asks somebody to be friends.
    RequestFriend {
        /// Joins the answer.
        request: RequestId,
        /// Who is asked.
        user: UserName,
    },
    /// Answers a friend request.
    AnswerFriend {
        /// Joins the answer.
        request: RequestId,
        /// Who asked.
        user: UserName,
        /// Yes or no.
        accept: bool,
    },
    /// Ends a friendship.
    Unfriend {
        /// Joins the answer.
        request: RequestId,
        /// The other user.
        user: UserName,
    },
    /// Blocks a user, which ends a friendship too.
    Block {
        /// Joins the answer.
        request: RequestId,
        /// Who is blocked.
        user: UserName,
    },
    /// Takes the own friend request back.
    CancelRequest {
        /// Joins the answer.
        request: RequestId,
        /// Who was asked.
        user: UserName,
    },
    /// Lifts a block.
    Unblock {
        /// Joins the answer.
        request: RequestId,
        /// Who was blocked.
        user: UserName,
    },
    /// Follows somebody, or follows no longer: no friendship, and no right to anything of one.
    Follow {
        /// Joins the answer.
        request: RequestId,
        /// Whom.
        user: UserName,
        /// From now on, or no longer.
        follow: bool,
    },
    /// Looks a handle up. Answered by `Done` if there is one, by `Refused` if not, if its user blocks, and beyond the limits.
    LookUp {
        /// Joins the answer.
        request: RequestId,
        /// The handle.
        handle: UserName,
    },
    /// Asks when a friend was last there. Answered by `LastSeen` or `Refused`.
    AskLastSeen {
        /// Joins the answer.
        request: RequestId,
        /// Who.
        user: UserName,
    },
    /// Changes a privacy setting of the own user.
    Set {
        /// Joins the answer.
        request: RequestId,
        /// What it is from now on.
        setting: Setting,
    },
    /// Asks for the devices of a friend, of somebody who agreed to be written to, or of the own user: needed to seal an offer
    /// or a message. Answered by `Keys` or `Refused`, alike for all reasons.
    FetchKeys {
        /// Joins the answer.
        request: RequestId,
        /// Whose.
        user: UserName,
    },
    /// Starts a call. The offer is sealed to each device of the callee. Answered by nothing, `Rejected` or `Accepted`.
    Invite {
        /// 128 random bits.
        call: CallId,
        /// Who is called.
        to: UserName,
        /// Whether video is offered.
        video: bool,
        /// One envelope a device of the callee.
        offers: Vec<SealedEnvelope>,
    },
    /// The device rings.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// The user accepts; the answer is sealed to the caller's device.
    Accept {
        /// The call.
        call: CallId,
        /// The sealed answer.
        answer: SealedEnvelope,
    },
    /// The user declines.
    Decline {
        /// The call.
        call: CallId,
    },
    /// The caller cancels.
    Cancel {
        /// The call.
        call: CallId,
    },
    /// The device is in another call.
    Busy {
        /// The call.
        call: CallId,
    },
    /// Ends the call.
    HangUp {
        /// The call.
        call: CallId,
    },
    /// A sealed message to the peer of a call: candidates. The server only passes it on, and only for a live call.
    ToPeer {
        /// The call.
        call: CallId,
        /// The sealed body.
        body: SealedEnvelope,
    },
    /// Asks that another device of the own user takes this live call over. Answered by `Taken` once its user accepts there, by
    /// `HandOverDeclined` if not.
    HandOver {
        /// The call.
        call: CallId,
        /// The device.
        to: ActorName,
    },
    /// Takes over the call of another device of the own user; the offer is sealed to the peer's device. Answered by
    /// `Accepted` or `Ended`.
    TakeOver {
        /// The call.
        call: CallId,
        /// The sealed offer.
        offer: SealedEnvelope,
    },
    /// This device has left the call that another one takes over: its camera and microphone are closed.
    Yield {
        /// The call.
        call: CallId,
        /// For the peer's device, sealed: which device goes on ([`crate::PeerMessage::HandedOver`]).
        word: SealedEnvelope,
    },
    /// Goes on with the peer's other device, after `Moved`.
    Rejoin {
        /// The call.
        call: CallId,
        /// The answer, sealed to that device.
        answer: SealedEnvelope,
    },
    /// Signs this device in to an account that another device made. Answered by `SignedIn` or `Refused`.
    SignIn {
        /// Joins the answer.
        request: RequestId,
        /// Protocol version of the client.
        version: u16,
        /// The password, inside TLS.
        password: String,
        /// Public keys of the device; its `user` is whose account it is.
        keys: DeviceKeys,
        /// The device's consent to being in the user's list.
        consent: Vec<u8>,
    },
    /// Asks for the rows behind one. Answered by a `Row` for each, up to a page of them.
    FetchRows {
        /// The number of the last row that this device has.
        after: u32,
    },
    /// Changes the password of the own account; all other devices are logged out. Answered by `Done` or `Refused`.
    ChangePassword {
        /// Joins the answer.
        request: RequestId,
        /// The account that it is about: the sender's own. A phone may have several, and a request that was meant for another
        /// one is refused.
        user: UserName,
        /// The password as it is, inside TLS.
        old: String,
        /// The new one.
        new: String,
    },
    /// Logs all other devices of the own account out. Answered by `Done` or `Refused`.
    EndOtherSessions {
        /// Joins the answer.
        request: RequestId,
        /// The account that it is about, as in `ChangePassword`.
        user: UserName,
    },
    /// Asks for a one-time code, by mail to the account's owner. Answered by `Done`, whether or not there is such an account.
    RequestCode {
        /// Joins the answer.
        request: RequestId,
        /// Whose account it is about.
        user: UserName,
    },
    /// Sets a new password with a one-time code, logs all devices out and signs this one in. Answered by `SignedIn` or
    /// `Refused`.
    ResetPassword {
        /// Joins the answer.
        request: RequestId,
        /// Protocol version of the client.
        version: u16,
        /// The code.
        code: String,
        /// The new password, inside TLS.
        password: String,
        /// Public keys of the device; its `user` is whose account it is.
        keys: DeviceKeys,
        /// The device's consent to being in the user's list.
        consent: Vec<u8>,
    },
    /// Adds a device that signed in to the own user's list, or takes one out, which logs it out. Answered by `Done` or
    /// `Refused`.
    ExtendDevices {
        /// Joins the answer.
        request: RequestId,
        /// The next link of the list.
        link: Box<DeviceLink>,
    },
    /// Asks somebody who is no friend to be allowed to write. What is to be said stays on the device: keys of a stranger's
    /// devices are given to nobody. Answered by `Done` or `Refused`.
    RequestThread {
        /// Joins the answer.
        request: RequestId,
        /// Who is asked.
        user: UserName,
    },
    /// Answers a request to write.
    AnswerThread {
        /// Joins the answer.
        request: RequestId,
        /// Who asked.
        user: UserName,
        /// Yes or no.
        accept: bool,
    },
    /// Writes to a friend, or to somebody who agreed to read it. Answered by `Done`, the second time too, or by `Refused`.
    SendMessage {
        /// Joins the answer.
        request: RequestId,
        /// 128 random bits.
        message: MessageId,
        /// To whom.
        to: UserName,
        /// What it says, sealed to every other device of both users.
        bodies: Vec<SealedEnvelope>,
        /// What it says, in clear: nothing ever. The planted bug V159 sends it.
        searchable: String,
        /// The picture that goes with it: all its parts are at the server.
        attachment: Option<AttachmentId>,
    },
    /// Rows up to one came to this device, or its user read them.
    Receipt {
        /// The number of the row among the own user's.
        row: u32,
        /// Whether the user read it.
        read: bool,
        /// Whether the writer may know.
        tell: bool,
    },
    /// Shows the friends another picture of the user.
    SetAvatar {
        /// Joins the answer.
        request: RequestId,
        /// A JPEG file, at most [`MAX_AVATAR_BYTES`](crate::MAX_AVATAR_BYTES).
        picture: Vec<u8>,
    },
    /// Names what a push service knows this device by, so that it can be woken. Not answered.
    RegisterPush {
        /// The token.
        token: PushToken,
    },
    /// Leaves a part of a sealed picture at the server, the first one first. Answered by `Done`, the second time too, or by
    /// `Refused`.
    PutPart {
        /// Joins the answer.
        request: RequestId,
        /// 128 random bits.
        attachment: AttachmentId,
        /// Which part, from 0.
        part: u16,
        /// Of how many: up to [`MAX_PARTS`](crate::MAX_PARTS).
        parts: u16,
        /// [`PART_BYTES`](crate::PART_BYTES), but for the last part.
        bytes: Vec<u8>,
    },
    /// Asks for a part of the picture of a message. Answered by `Part` or `Refused`, alike for all reasons.
    FetchPart {
        /// Joins the answer.
        request: RequestId,
        /// The picture.
        attachment: AttachmentId,
        /// Which part, from 0.
        part: u16,
    },
}

/// What the server says to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// Signed in. A fresh token after sign-up, empty after an attach.
    SignedIn {
        /// Joins the request.
        request: RequestId,
        /// The session token: 256 random bits in hexadecimal. The server keeps only its hash.
        token: String,
        /// How far the server's store is. The server's last hand adds it.
        epoch: Option<SignedEpoch>,
    },
    /// A request was done.
    Done {
        /// Joins the request.
        request: RequestId,
        /// How far the server's store is, where the device is signed in; as in `SignedIn`.
        epoch: Option<SignedEpoch>,
    },
    /// A request was refused. Alike for unknown, blocked and not a friend.
    Refused {
        /// Joins the request.
        request: RequestId,
    },
    /// A session token was refused, alike for all reasons.
    NotAttached {
        /// Joins the request.
        request: RequestId,
        /// How far the store is, in the place of what the request showed; none where the server had not signed that.
        epoch: Option<SignedEpoch>,
    },
    /// The list of devices of a friend, or of the own user.
    Keys {
        /// Joins the request.
        request: RequestId,
        /// All links.
        links: Vec<DeviceLink>,
    },
    /// When a friend was last there.
    LastSeen {
        /// Joins the request.
        request: RequestId,
        /// How long ago; no time for somebody who is there. None for who has not been away since it is told.
        ago: Option<Micros>,
    },
    /// Somebody asks to be friends.
    FriendRequest {
        /// Who.
        from: UserName,
    },
    /// A friendship began.
    FriendAdded {
        /// The friend.
        user: UserName,
    },
    /// A friendship is over.
    FriendRemoved {
        /// The former friend.
        user: UserName,
    },
    /// A friend calls.
    Ring {
        /// The call.
        call: CallId,
        /// Who calls, from the server's roster.
        from: UserName,
        /// Keys of the calling device, to verify the offer.
        caller: DeviceKeys,
        /// Whether video is offered.
        video: bool,
        /// How old the invite is by the server's clock.
        age: Micros,
        /// The offer sealed to this device.
        offer: SealedEnvelope,
        /// Relays that this device may use before it accepts: none ever. The planted bug V128 names them.
        relays: Vec<RelayGrant>,
    },
    /// The callee's device rings.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// The call was accepted. Goes to both ends, with their relay credentials.
    Accepted {
        /// The call.
        call: CallId,
        /// Which device accepted.
        device: ActorName,
        /// To the caller: the sealed answer. To the callee: none.
        answer: Option<SealedEnvelope>,
        /// Relays that this device may use, for this call.
        relays: Vec<RelayGrant>,
        /// Where the server sees the other end: no device is ever told. The planted bug V74 tells it.
        origin: Option<SocketAddr>,
    },
    /// Another device of the user answered.
    Elsewhere {
        /// The call.
        call: CallId,
    },
    /// The call cannot be. Alike for unknown, blocked and not a friend.
    Rejected {
        /// The call.
        call: CallId,
    },
    /// The call is over.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: CallEnd,
    },
    /// Both called at once: the other user's call rings already, and this one never will. The ring itself was told before.
    Glare {
        /// The call that the device asked for.
        call: CallId,
        /// The one that rings instead.
        other: CallId,
    },
    /// Another device of the own user asks this one to take its call over.
    HandOver {
        /// The call.
        call: CallId,
        /// The device that has it.
        from: ActorName,
        /// The other side.
        peer: UserName,
        /// The other side's device.
        device: ActorName,
        /// Whether the own user called.
        outgoing: bool,
        /// Whether video was offered.
        video: bool,
    },
    /// The device that was asked to take the call over was accepted there: leave it.
    Taken {
        /// The call.
        call: CallId,
        /// The device.
        by: ActorName,
    },
    /// The device that was asked to take the call over does not.
    HandOverDeclined {
        /// The call.
        call: CallId,
    },
    /// The peer goes on with another of its devices.
    Moved {
        /// The call.
        call: CallId,
        /// The device.
        device: ActorName,
        /// The word of the device that had the call, sealed.
        word: SealedEnvelope,
        /// The offer of the one that has it now, sealed.
        offer: SealedEnvelope,
        /// Relays that this device may use, for this call.
        relays: Vec<RelayGrant>,
    },
    /// A sealed message of the peer.
    FromPeer {
        /// The call.
        call: CallId,
        /// The sealed body.
        body: SealedEnvelope,
    },
    /// A row of a thread. Rows are numbered for each user, from 1.
    Row {
        /// Rows up to this one were sent, or are no longer kept.
        previous: u32,
        /// The row's number.
        number: u32,
        /// Whether there are rows behind it that were not sent: they can be asked for.
        more: bool,
        /// The row.
        row: RowEntry,
        /// Of a message what it says, sealed to this device; none where it was written, or sealed before it was there.
        body: Option<Box<SealedEnvelope>>,
    },
    /// A stranger asks to write.
    ThreadRequest {
        /// Who.
        from: UserName,
    },
    /// Somebody who was asked agrees to read what the user writes.
    ThreadOpened {
        /// Who.
        user: UserName,
    },
    /// A friend's avatar.
    Avatar {
        /// Whose.
        user: UserName,
        /// A JPEG file.
        picture: Vec<u8>,
    },
    /// Somebody follows the user. That gives nobody a right to anything.
    Followed {
        /// Who.
        by: UserName,
    },
    /// How far a message came, and all before it.
    Receipt {
        /// The message.
        message: MessageId,
        /// Whose devices have it: the other user's, or for what was read elsewhere the own.
        by: UserName,
        /// Whether it was read.
        read: bool,
    },
    /// Somebody signed in to the own account with a new device.
    NewDevice {
        /// Its keys.
        keys: DeviceKeys,
        /// Its consent to being in the list.
        consent: Vec<u8>,
    },
    /// The list of devices of a friend, or of the own user, is longer.
    DevicesChanged {
        /// Whose.
        user: UserName,
    },
    /// This device was logged out; nothing that it says counts any more.
    LoggedOut,
    /// A part of a sealed picture.
    Part {
        /// Joins the request.
        request: RequestId,
        /// As it was left.
        bytes: Vec<u8>,
    },
}
