//! How messages are called in events.

use kernel::names::CallId;
use protocol::{ClientMessage, RowEntry, ServerMessage};

/// The kind of a device's message, as in the event `Signal`: `sign_up`, `invite`, `hang_up`, …
pub fn kind_of_client_message(message: &ClientMessage) -> &'static str {
    match message {
        ClientMessage::SignUp { .. } => "sign_up",
        ClientMessage::Attach { .. } => "attach",
        ClientMessage::RequestFriend { .. } => "request_friend",
        ClientMessage::AnswerFriend { .. } => "answer_friend",
        ClientMessage::Unfriend { .. } => "unfriend",
        ClientMessage::Block { .. } => "block",
        ClientMessage::CancelRequest { .. } => "cancel_request",
        ClientMessage::Unblock { .. } => "unblock",
        ClientMessage::Follow { .. } => "follow",
        ClientMessage::LookUp { .. } => "look_up",
        ClientMessage::AskLastSeen { .. } => "ask_last_seen",
        ClientMessage::Set { .. } => "set",
        ClientMessage::FetchKeys { .. } => "fetch_keys",
        ClientMessage::Invite { .. } => "invite",
        ClientMessage::Ringing { .. } => "ringing",
        ClientMessage::Accept { .. } => "accept",
        ClientMessage::Decline { .. } => "decline",
        ClientMessage::Cancel { .. } => "cancel",
        ClientMessage::Busy { .. } => "busy",
        ClientMessage::HangUp { .. } => "hang_up",
        ClientMessage::ToPeer { .. } => "to_peer",
        ClientMessage::HandOver { .. } => "hand_over",
        ClientMessage::TakeOver { .. } => "take_over",
        ClientMessage::Yield { .. } => "yield",
        ClientMessage::Rejoin { .. } => "rejoin",
        ClientMessage::SignIn { .. } => "sign_in",
        ClientMessage::FetchRows { .. } => "fetch_rows",
        ClientMessage::ExtendDevices { .. } => "extend_devices",
        ClientMessage::RequestThread { .. } => "request_thread",
        ClientMessage::AnswerThread { .. } => "answer_thread",
        ClientMessage::SendMessage { .. } => "send_message",
        ClientMessage::Receipt { .. } => "receipt",
        ClientMessage::SetAvatar { .. } => "set_avatar",
        ClientMessage::ChangePassword { .. } => "change_password",
        ClientMessage::EndOtherSessions { .. } => "end_other_sessions",
        ClientMessage::RequestCode { .. } => "request_code",
        ClientMessage::ResetPassword { .. } => "reset_password",
        ClientMessage::RegisterPush { .. } => "register_push",
        ClientMessage::PutPart { .. } => "put_part",
        ClientMessage::FetchPart { .. } => "fetch_part",
    }
}

/// The kind of a server's message, as in the event `Signal`: `signed_in`, `ring`, `accepted`, …
pub fn kind_of_server_message(message: &ServerMessage) -> &'static str {
    match message {
        ServerMessage::SignedIn { .. } => "signed_in",
        ServerMessage::Done { .. } => "done",
        ServerMessage::Refused { .. } => "refused",
        ServerMessage::NotAttached { .. } => "not_attached",
        ServerMessage::Keys { .. } => "keys",
        ServerMessage::LastSeen { .. } => "last_seen",
        ServerMessage::FriendRequest { .. } => "friend_request",
        ServerMessage::Followed { .. } => "followed",
        ServerMessage::FriendAdded { .. } => "friend_added",
        ServerMessage::FriendRemoved { .. } => "friend_removed",
        ServerMessage::Ring { .. } => "ring",
        ServerMessage::Ringing { .. } => "ringing",
        ServerMessage::Accepted { .. } => "accepted",
        ServerMessage::Elsewhere { .. } => "elsewhere",
        ServerMessage::Rejected { .. } => "rejected",
        ServerMessage::Ended { .. } => "ended",
        ServerMessage::Glare { .. } => "glare",
        ServerMessage::HandOver { .. } => "hand_over",
        ServerMessage::Taken { .. } => "taken",
        ServerMessage::HandOverDeclined { .. } => "hand_over_declined",
        ServerMessage::Moved { .. } => "moved",
        ServerMessage::FromPeer { .. } => "from_peer",
        ServerMessage::Row { row: RowEntry::Call(_), .. } => "call_row",
        ServerMessage::Row { row: RowEntry::Message(_), .. } => "message_row",
        ServerMessage::ThreadRequest { .. } => "thread_request",
        ServerMessage::ThreadOpened { .. } => "thread_opened",
        ServerMessage::Receipt { .. } => "receipt",
        ServerMessage::Avatar { .. } => "avatar",
        ServerMessage::NewDevice { .. } => "new_device",
        ServerMessage::DevicesChanged { .. } => "devices_changed",
        ServerMessage::LoggedOut => "logged_out",
        ServerMessage::Part { .. } => "part",
    }
}

/// The call that a device's message is about.
pub fn call_of_client_message(message: &ClientMessage) -> Option<CallId> {
    match message {
        ClientMessage::Invite { call, .. }
        | ClientMessage::Ringing { call }
        | ClientMessage::Accept { call, .. }
        | ClientMessage::Decline { call }
        | ClientMessage::Cancel { call }
        | ClientMessage::Busy { call }
        | ClientMessage::HangUp { call }
        | ClientMessage::HandOver { call, .. }
        | ClientMessage::TakeOver { call, .. }
        | ClientMessage::Yield { call, .. }
        | ClientMessage::Rejoin { call, .. }
        | ClientMessage::ToPeer { call, .. } => Some(*call),
        _ => None,
    }
}

/// The call that a server's message is about.
pub fn call_of_server_message(message: &ServerMessage) -> Option<CallId> {
    match message {
        ServerMessage::Ring { call, .. }
        | ServerMessage::Ringing { call }
        | ServerMessage::Accepted { call, .. }
        | ServerMessage::Elsewhere { call }
        | ServerMessage::Rejected { call }
        | ServerMessage::Ended { call, .. }
        | ServerMessage::Glare { call, .. }
        | ServerMessage::HandOver { call, .. }
        | ServerMessage::Taken { call, .. }
        | ServerMessage::HandOverDeclined { call }
        | ServerMessage::Moved { call, .. }
        | ServerMessage::FromPeer { call, .. } => Some(*call),
        ServerMessage::Row { row: RowEntry::Call(row), .. } => Some(row.call),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::trouble::MESSAGE_KINDS;
    use protocol::CallEnd;

    #[test]
    fn faults_know_the_names_of_messages_about_calls() {
        let call = CallId([1; 16]);
        let said = [
            ClientMessage::Ringing { call },
            ClientMessage::Decline { call },
            ClientMessage::Cancel { call },
            ClientMessage::Busy { call },
            ClientMessage::HangUp { call },
        ];
        let told = [
            ServerMessage::Ringing { call },
            ServerMessage::Elsewhere { call },
            ServerMessage::Rejected { call },
            ServerMessage::Ended { call, reason: CallEnd::Unknown },
        ];
        for kind in said.iter().map(kind_of_client_message).chain(told.iter().map(kind_of_server_message)) {
            assert!(MESSAGE_KINDS.contains(&kind), "{kind}");
        }
    }
}
