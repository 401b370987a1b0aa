//! ICE restarts (RFC 8445 section 9): another path for the same DTLS association.
//!
//! Only ICE credentials and candidates change hands, and the fingerprint, which must stay. What else a session
//! description holds is taken from the peer's first one, so that a restart can change nothing but paths. SSRCs, rollover
//! counters and frame counters go on.

use super::{Transport, TransportOutput, refused};
use kernel::{SimTime, random};
use protocol::PathDescription;
use str0m::{
    Candidate,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
};

/// Lengths of an ICE user fragment and of a password (RFC 8839 section 5.4).
const FRAGMENT_LENGTH: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 22..=256;

/// What a restart is refused for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestartError {
    /// Another certificate than the one of the association: somebody is in the middle.
    #[error("the fingerprint changed")]
    Fingerprint,
    /// Nothing that ICE could use, or not wanted now.
    #[error("the restart is not taken: {0}")]
    Refused(String),
}

/// The restarts of a call.
#[derive(Default)]
pub(super) struct Restarts {
    /// The peer's first description, without candidates.
    pub(super) peer_sdp: String,
    /// How many were asked for here.
    asked: u32,
    /// The one that was asked for and not yet answered.
    pending: Option<(SdpPendingOffer, PathDescription)>,
    /// The peer's newest number with the answer to it: a repeated question gets it again.
    answered: Option<PathDescription>,
}

impl Transport {
    /// Asks for a restart, or repeats the question that is not answered yet. `None` while one is under way.
    pub fn ask_restart(&mut self, now: SimTime) -> Option<PathDescription> {
        if !self.connected || self.over || !self.has_socket() {
            return None;
        }
        let lines = self.own_lines();
        if let Some((_, asked)) = &mut self.restarts.pending {
            asked.candidates = lines;
            self.health.asked(now);
            return Some(asked.clone());
        }
        if self.health.is_trying(now) {
            return None;
        }
        let (credentials, pending) = {
            let _scope = random::scope("str0m");
            let mut changes = self.rtc.sdp_api();
            let credentials = changes.ice_restart(true);
            (credentials, changes.apply()?.1)
        };
        self.restarts.asked += 1;
        let description = self.description(self.restarts.asked, credentials.ufrag, credentials.pass);
        self.restarts.pending = Some((pending, description.clone()));
        self.health.asked(now);
        Some(description)
    }

    /// Answers the peer's question; the same one gets the same answer again. `wins` says whose restart goes on when both
    /// ask at once. `Ok(None)` when nothing is to be said.
    ///
    /// # Errors
    /// [`RestartError`].
    pub fn answer_restart(
        &mut self,
        question: &PathDescription,
        wins: bool,
        now: SimTime,
    ) -> Result<Option<PathDescription>, RestartError> {
        self.check(question)?;
        if let Some(answered) = self.restarts.answered.as_ref().filter(|answered| answered.number >= question.number) {
            return Ok((answered.number == question.number).then(|| answered.clone()));
        }
        // Glare: the own question goes on. One that nobody needs any more gives way.
        if self.restarts.pending.is_some() && wins && self.health.is_broken() {
            return Ok(None);
        }
        self.restarts.pending = None;
        let offer = self.peer_description(question);
        let credentials = {
            let _scope = random::scope("str0m");
            let offer = SdpOffer::from_sdp_string(&offer).map_err(|error| RestartError::Refused(error.to_string()))?;
            self.rtc
                .sdp_api()
                .accept_offer(offer)
                .map_err(|error| RestartError::Refused(refused(error).to_string()))?;
            self.rtc.direct_api().local_ice_credentials()
        };
        let answer = self.description(question.number, credentials.ufrag, credentials.pass);
        self.restarts.answered = Some(answer.clone());
        self.begin_attempt(question, now);
        Ok(Some(answer))
    }

    /// Takes the peer's answer. One to an older question, or one that comes twice, changes nothing.
    ///
    /// # Errors
    /// [`RestartError`].
    pub fn finish_restart(&mut self, answer: &PathDescription, now: SimTime) -> Result<(), RestartError> {
        self.check(answer)?;
        let Some((pending, _)) = self.restarts.pending.take_if(|(_, asked)| asked.number == answer.number) else {
            return Ok(());
        };
        let sdp = self.peer_description(answer);
        {
            let _scope = random::scope("str0m");
            let sdp = SdpAnswer::from_sdp_string(&sdp).map_err(|error| RestartError::Refused(error.to_string()))?;
            let taken = self.rtc.sdp_api().accept_answer(pending, sdp);
            taken.map_err(|error| RestartError::Refused(refused(error).to_string()))?;
        }
        self.begin_attempt(answer, now);
        Ok(())
    }

    /// New credentials are agreed: pairs are checked from scratch. Media goes over the old pair until a new one is valid.
    fn begin_attempt(&mut self, peer: &PathDescription, now: SimTime) {
        if !self.health.is_broken() {
            self.outputs.push_back(TransportOutput::Broken);
        }
        self.health.restarted(now);
        self.reserve.keep_only(&peer.candidates, &self.remote_kinds);
        self.remote_candidates = 0;
        self.remote_lines.clear();
        for line in &peer.candidates {
            self.add_remote_candidate(line, now);
        }
        self.drive(now);
    }

    fn check(&mut self, description: &PathDescription) -> Result<(), RestartError> {
        let api = self.rtc.direct_api();
        let known = api.remote_dtls_fingerprint().map(ToString::to_string);
        let known = known.ok_or_else(|| RestartError::Refused("DTLS is not up".into()))?;
        if known != description.fingerprint {
            return Err(RestartError::Fingerprint);
        }
        let fits = |text: &str, length: &std::ops::RangeInclusive<usize>| {
            length.contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
        };
        if !fits(&description.fragment, &FRAGMENT_LENGTH) || !fits(&description.password, &PASSWORD_LENGTH) {
            return Err(RestartError::Refused("these are no ICE credentials".into()));
        }
        Ok(())
    }

    fn description(&mut self, number: u32, fragment: String, password: String) -> PathDescription {
        let fingerprint = self.rtc.direct_api().local_dtls_fingerprint().to_string();
        PathDescription { number, fragment, password, fingerprint, candidates: self.own_lines() }
    }

    /// The peer's first description with other ICE credentials.
    fn peer_description(&self, description: &PathDescription) -> String {
        let replaced = |line: &str| match line.split_once(':') {
            Some(("a=ice-ufrag", _)) => format!("a=ice-ufrag:{}\r\n", description.fragment),
            Some(("a=ice-pwd", _)) => format!("a=ice-pwd:{}\r\n", description.password),
            _ => line.to_owned(),
        };
        self.restarts.peer_sdp.split_inclusive('\n').map(replaced).collect()
    }
}

/// The line of a candidate without the user fragment: it counts for whatever restart is the newest.
pub(super) fn line_of(candidate: &Candidate) -> String {
    let line = candidate.to_sdp_string();
    line.split_once(" ufrag ").map_or(line.clone(), |(line, _)| line.to_owned())
}
