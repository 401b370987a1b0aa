//! A codec as a lane: input is submitted, and its result collected when the modelled computing time has passed.
//!
//! A lane is a pure function of its settings and the chain of its inputs, and its inputs own what they name. So a
//! worker may compute between submission and collection, or a memo may know the answer, without a change in the
//! simulation. Today's back end is the plain one: the codec runs inside [`Lane::submit`].

use std::collections::VecDeque;

/// What runs in a lane: one output for each input, by state and input alone.
pub trait Codec {
    /// What goes in.
    type Input;
    /// What comes out.
    type Output;

    /// Runs the codec once.
    fn run(&mut self, input: Self::Input) -> Self::Output;
}

/// At most this many results wait in a lane: more is a caller that forgets to collect.
const MAX_WAITING: usize = 256;

/// The right to one result. It cannot be copied: each result is collected once.
#[must_use = "the result of a submission is to be collected"]
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// A codec and the results that wait for their due time.
pub struct Lane<C: Codec> {
    codec: C,
    submitted: u64,
    waiting: VecDeque<(u64, C::Output)>,
}

impl<C: Codec> Lane<C> {
    /// A lane around a codec in its initial state.
    pub fn new(codec: C) -> Lane<C> {
        Lane { codec, submitted: 0, waiting: VecDeque::new() }
    }

    /// Hands an input to the codec; inputs are worked on in the order of their submission.
    ///
    /// # Panics
    /// When 256 results are waiting: the caller's bug.
    pub fn submit(&mut self, input: C::Input) -> Ticket {
        assert!(self.waiting.len() < MAX_WAITING, "results of a codec lane are never collected");
        let number = self.submitted;
        self.submitted += 1;
        let output = self.codec.run(input);
        self.waiting.push_back((number, output));
        Ticket(number)
    }

    /// The result of a submission. To be called at its modelled due time, in any order.
    ///
    /// # Panics
    /// When the ticket is of another lane: the caller's bug.
    pub fn collect(&mut self, ticket: Ticket) -> C::Output {
        let place = self.waiting.iter().position(|(number, _)| *number == ticket.0);
        let (_, output) = place.and_then(|place| self.waiting.remove(place)).expect("the ticket is of this lane");
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum(u32);

    impl Codec for Sum {
        type Input = u32;
        type Output = u32;
        fn run(&mut self, input: u32) -> u32 {
            self.0 += input;
            self.0
        }
    }

    #[test]
    fn results_follow_the_order_of_submission_whenever_they_are_collected() {
        let mut lane = Lane::new(Sum(0));
        let (first, second) = (lane.submit(1), lane.submit(10));
        assert_eq!(lane.collect(second), 11);
        assert_eq!(lane.collect(first), 1);
    }

    #[test]
    #[should_panic(expected = "of this lane")]
    fn a_foreign_ticket_is_refused() {
        let (mut one, mut other) = (Lane::new(Sum(0)), Lane::new(Sum(0)));
        let _first = one.submit(1);
        let second = one.submit(1);
        other.collect(second);
    }
}
