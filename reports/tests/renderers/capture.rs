//! `wire.pcapng`: read block by block, and by tshark where it is installed.

use crate::sample::held;
use kernel::event::Event;
use reports::write;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

fn capture(dir: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(dir);
    write(&dir, &held().run()).unwrap();
    dir.join("first-call-1/wire.pcapng")
}

/// A block: type and body.
fn blocks(bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = word(at + 4) as usize;
        assert!(length.is_multiple_of(4) && word(at + length - 4) as usize == length, "both lengths agree at {at}");
        blocks.push((word(at), &bytes[at + 8..at + length - 4]));
        at += length;
    }
    blocks
}

#[test]
fn every_packet_is_in_the_capture_once_in_the_order_of_time() {
    let bytes = fs::read(capture("pcapng-blocks")).unwrap();
    let blocks = blocks(&bytes);
    let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds[..4], [0x0A0D_0D0A, 1, 1, 4]);
    let packets: Vec<&[u8]> = blocks.iter().filter(|(kind, _)| *kind == 6).map(|(_, body)| *body).collect();
    let log = held().log;
    let sent = log.records.iter().filter(|record| matches!(record.event, Event::PacketSent(_))).count();
    assert_eq!(packets.len(), sent);
    let time = |body: &[u8]| {
        let word = |at: usize| u64::from(u32::from_le_bytes(body[at..at + 4].try_into().unwrap()));
        word(4) << 32 | word(8)
    };
    assert!(packets.windows(2).all(|pair| time(pair[0]) <= time(pair[1])));
}

#[test]
fn lost_packets_say_where_and_why() {
    let bytes = fs::read(capture("pcapng-comments")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("dropped: lost on the link at alice-phone/up"));
    assert!(text.contains("dropped: lost on the link at bob-laptop/down, 3.00 ms later"));
    assert!(text.contains("dropped: NAT filters the source at bob-laptop"));
}

#[test]
fn tshark_shows_names_protocols_and_comments() {
    let file = capture("pcapng-tshark");
    let Some(all) = tshark(&file, &["-N", "n"]) else { return };
    for protocol in ["STUN", "DTLS", "QUIC"] {
        assert!(all.contains(protocol), "{protocol} is missing");
    }
    for name in ["nat-of-alice-phone", "nat-of-bob-laptop", "signaling"] {
        assert!(all.contains(name), "{name} is missing");
    }
    let drops = ["-N", "n", "-Y", "frame.comment", "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.comment"];
    let drops = tshark(&file, &drops).unwrap_or_default();
    assert!(drops.lines().any(|line| line.contains("queue full at alice-phone/up")), "{drops}");
    let streams =
        ["-d", "udp.port==5000,rtp", "--enable-heuristic", "rtp_udp", "--enable-heuristic", "stun_udp", "-Y", "rtp"];
    assert!(tshark(&file, &streams).unwrap_or_default().lines().count() > 1_000);
    let broken = [
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "udp.check_checksum:TRUE",
        "-Y",
        "ip.checksum.status == 0 || udp.checksum.status == 0",
    ];
    assert_eq!(tshark(&file, &broken).as_deref(), Some(""));
}

/// What tshark prints; none where it is not installed.
fn tshark(file: &Path, arguments: &[&str]) -> Option<String> {
    match Command::new("tshark").arg("-r").arg(file).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: tshark is not installed");
            None
        }
        Err(error) => panic!("tshark does not start: {error}"),
    }
}
