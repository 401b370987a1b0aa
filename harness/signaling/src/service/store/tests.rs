use super::*;
use kernel::event::CallOutcome;

fn row(n: u8) -> CallRowEntry {
    let (alice, bob) = ("alice".into(), "bob".into());
    let (thread, outcome, duration) = (ThreadId::between(&alice, &bob), CallOutcome::Missed, Micros::ZERO);
    CallRowEntry { thread, call: CallId([n; 16]), caller: alice, outcome, duration }
}

fn numbers(store: &Store, after: u32) -> Vec<(u32, u32)> {
    let number = |message| match message {
        ServerMessage::CallRow { previous, number, .. } => (previous, number),
        other => panic!("{other:?}"),
    };
    store.rows_after(&"bob".into(), after).into_iter().map(number).collect()
}

#[test]
fn rows_are_numbered_for_each_user_and_told_behind_any() {
    let mut store = Store::default();
    assert_eq!(store.insert_row([&"bob".into(), &"carol".into()], &row(1)), [1, 1]);
    assert_eq!(store.insert_row([&"alice".into(), &"bob".into()], &row(2)), [1, 2]);
    assert_eq!(numbers(&store, 0), [(0, 1), (1, 2)]);
    assert_eq!((numbers(&store, 1), numbers(&store, 2)), (vec![(1, 2)], vec![]));
}

#[test]
fn of_many_rows_the_last_are_kept_and_nobody_waits_for_the_others() {
    let mut store = Store::default();
    (0..MAX_ROWS + 5).for_each(|n| {
        store.insert_row([&"alice".into(), &"bob".into()], &row(n as u8));
    });
    let told = numbers(&store, 2);
    assert_eq!((told.len(), told[0], told[1]), (MAX_ROWS as usize, (2, 6), (6, 7)));
    assert_eq!(numbers(&store, 5)[0], (5, 6));
}
