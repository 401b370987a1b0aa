//! The password of the account: changed, forgotten, or no longer what this device knows.

use super::{Account, AccountConfig, Request, SIGNALING};
use kernel::{
    ActorName, SimTime, UserName, event,
    event::{PasswordPath, SecretKind},
};
use protocol::{ClientMessage, PROTOCOL_VERSION};

/// A password that was forgotten.
pub(super) struct Recovery {
    /// The new one.
    password: String,
    /// The one-time code, once the user read it.
    code: Option<String>,
}

/// Tells the oracle that a device holds a secret which it shares with the server.
pub(super) fn hold(device: &ActorName, kind: SecretKind, value: &str) {
    let holders = vec![device.clone(), SIGNALING.into()];
    event!(Secret { holders, kind, kid: None, value: value.to_owned() });
}

/// Tells the oracle what the user chose.
pub(super) fn choose(config: &AccountConfig, how: PasswordPath, password: &str) {
    let (user, device) = (config.keys.user.clone(), config.device.clone());
    event!(PasswordChosen { user, device, how, password: password.to_owned() });
}

impl Account {
    /// The user wants another password, and knows the old one.
    pub(crate) fn change_password(&mut self, new: String, now: SimTime) {
        self.note_choice(PasswordPath::Change, &new);
        let (user, old) = (self.config.keys.user.clone(), self.config.password.clone());
        self.ask(Request::Password(new.clone()), |request| ClientMessage::ChangePassword { request, user, old, new });
        self.drive(now);
    }

    /// The user forgot the password and wants a new one: first a code is asked for.
    pub(crate) fn reset_password(&mut self, password: String, now: SimTime) {
        self.note_choice(PasswordPath::Reset, &password);
        self.recovery = Some(Recovery { password, code: None });
        if self.channel.is_connected() && !self.logged_out {
            self.recover();
        } else {
            self.connect_anew(now);
        }
        self.drive(now);
    }

    /// The user reads a code. One that nobody waits for on this device is no use here.
    pub(crate) fn read_mail(&mut self, code: String, now: SimTime) {
        let Some(recovery) = self.recovery.as_mut().filter(|recovery| recovery.code.is_none()) else { return };
        hold(&self.config.device, SecretKind::OneTimeCode, &code);
        recovery.code = Some(code);
        if self.channel.is_connected() {
            self.recover();
        }
        self.drive(now);
    }

    /// The user signs in on a device that was logged out.
    pub(crate) fn sign_in_again(&mut self, password: String, now: SimTime) {
        hold(&self.config.device, SecretKind::Password, &password);
        self.config.password = password;
        // One try: somebody types it, and the account is there.
        self.refused_sign_ins = super::MOST_SIGN_INS;
        if !self.signed_in {
            self.token = None;
            self.connect_anew(now);
        }
        self.drive(now);
    }

    /// The user wants every other device logged out.
    pub(crate) fn end_other_sessions(&mut self, now: SimTime) {
        let user = self.config.keys.user.clone();
        self.ask(Request::Devices, |request| ClientMessage::EndOtherSessions { request, user });
        self.drive(now);
    }

    /// Against the protocol: asks for what only somebody else may ask for.
    pub(crate) fn act_for(&mut self, another: &UserName, now: SimTime) {
        let user = another.clone();
        self.ask(Request::Devices, |request| ClientMessage::EndOtherSessions { request, user });
        let (user, old) = (another.clone(), self.config.password.clone());
        let new = format!("{old}, changed");
        self.ask(Request::Devices, |request| ClientMessage::ChangePassword { request, user, old, new });
        self.drive(now);
    }

    /// The next step of a recovery, over a connection that is up.
    pub(super) fn recover(&mut self) {
        let Some(Recovery { password, code }) = &self.recovery else { return };
        let (password, code) = (password.clone(), code.clone());
        let (version, keys, consent) = (PROTOCOL_VERSION, self.config.keys.clone(), self.config.consent.clone());
        let message = match code {
            None => ClientMessage::RequestCode { request: self.new_request(Request::Code), user: keys.user },
            Some(code) => {
                let request = self.new_request(Request::Reset);
                ClientMessage::ResetPassword { request, version, code, password, keys, consent }
            }
        };
        // Where it is lost with its connection the next one begins with it.
        let _ = self.channel.send(&message);
    }

    /// The server took the new password.
    pub(super) fn recovered(&mut self) {
        if let Some(recovery) = self.recovery.take() {
            self.config.password = recovery.password;
        }
    }

    /// The server did not take the code or the password: the user may begin anew.
    pub(super) fn give_up_recovery(&mut self) {
        self.recovery = None;
        self.logged_out = !self.signed_in;
    }

    fn note_choice(&self, how: PasswordPath, password: &str) {
        hold(&self.config.device, SecretKind::Password, password);
        choose(&self.config, how, password);
    }

    fn connect_anew(&mut self, now: SimTime) {
        self.logged_out = false;
        self.requests.clear();
        self.reconnect_at = Some(now);
    }
}
