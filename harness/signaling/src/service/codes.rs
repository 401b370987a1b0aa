//! One-time codes: they go to the mailbox of an account's owner, who proves with one of them to be that.

use super::{
    Service, redacted,
    transaction::{Effect, Transaction},
};
use crate::password::PasswordHash;
use kernel::{
    event::{Fact, SecretKind},
    mutant,
    names::{ActorName, UserName},
    time::{Micros, SimTime},
};
use protocol::{ConnectionId, RequestId};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Digits of a code.
const DIGITS: usize = 8;
/// How long one is good for.
const LIFETIME: Micros = Micros::from_secs(600);
/// How often one may be tried.
const MAX_TRIES: u32 = 5;
/// Codes per account and hour; beyond, none is sent.
const MAX_CODES: usize = 5;
const CODE_WINDOW: Micros = Micros::from_secs(3_600);

/// The one-time codes of an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Codes {
    /// The one that is good, if any.
    current: Option<Code>,
    /// When codes were issued within the last hour.
    issued: VecDeque<SimTime>,
}

/// A code that was sent. Of the code itself the hash is kept, as of a password.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Code {
    hash: PasswordHash,
    issued: SimTime,
    tries: u32,
}

impl Codes {
    /// Whether one more may be issued, which then counts.
    fn may_issue(&mut self, now: SimTime) -> bool {
        while self.issued.front().is_some_and(|at| now.since(*at) >= CODE_WINDOW) {
            self.issued.pop_front();
        }
        let may = self.issued.len() < MAX_CODES;
        if may {
            self.issued.push_back(now);
        }
        may
    }

    /// Tries a code; none when there is no good one. The try counts before the code is looked at, and one that fits is used up.
    fn try_code(&mut self, code: &str, now: SimTime) -> Option<bool> {
        self.current.take_if(|current| now.since(current.issued) >= LIFETIME);
        let current = self.current.as_mut().filter(|current| current.tries < MAX_TRIES || mutant!(V100))?;
        current.tries += 1;
        let fits = current.hash.fits(code);
        if fits {
            self.current = None;
        }
        Some(fits)
    }

    /// No code is good any more.
    pub(super) fn withdraw(&mut self) {
        self.current = None;
    }
}

impl Service {
    /// Sends a code to the owner of an account, in the place of any that was sent before. Whoever asks is told the same, after
    /// the same time, whether or not there is such an account and whether or not it got a code.
    pub(super) fn request_code(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        user: &UserName,
        work: &mut Transaction,
    ) {
        let code: String = (0..DIGITS).map(|_| char::from(b'0' + self.codes.below(10) as u8)).collect();
        let hash = self.hash(&code, work);
        let at = work.at;
        let account = self.store.account_mut(user);
        let issued = account.is_some_and(|account| {
            let issued = account.codes.may_issue(at);
            if issued {
                account.codes.current = Some(Code { hash, issued: at, tries: 0 });
            }
            issued
        });
        if issued {
            kernel::event!(Secret {
                holders: vec![ActorName::from(format!("mailbox of {user}")), self.name.clone()],
                kind: SecretKind::OneTimeCode,
                kid: None,
                value: code.clone(),
            });
            self.log("debug", format!("one-time code {} for {user}", redacted(&code)));
            work.effects.push(Effect::Mail { user: user.clone(), code });
        }
        work.facts.push(Fact::CodeRequested { user: user.clone(), issued });
        work.done(connection, request);
    }

    /// Whether a code is the one that was sent. The answer takes the same time in every case.
    pub(super) fn code_fits(&mut self, user: &UserName, code: &str, work: &mut Transaction) -> bool {
        work.hashes += 1;
        let fits = self.store.account_mut(user).and_then(|account| account.codes.try_code(code, work.at));
        let (looked_at, fits) = (fits.is_some(), fits == Some(true));
        work.facts.push(Fact::CodeTried { user: user.clone(), looked_at, fits });
        fits
    }
}
