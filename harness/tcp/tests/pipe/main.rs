//! TCP over a pipe: what holds whatever the pipe does to packets.

mod net;

use kernel::{Datagram, Micros, SimTime, packet::Transport};
use net::{CLEAN, CLIENT, Net, Pipe, SERVER, content};
use tcp::{Congestion, MAX_CONNECTIONS, Settings, State, TcpError};

const SECOND: u64 = 1_000_000;

#[test]
fn all_bytes_arrive_in_order_under_loss_and_reordering() {
    for congestion in [Congestion::Cubic, Congestion::Reno] {
        let pipe = Pipe { loss_ppm: 20_000, jitter: Micros::from_millis(20), ..CLEAN };
        let mut net = Net::new(pipe, 3);
        let flow = net.upload(content(600_000), congestion);
        net.run_until(SimTime(60 * SECOND));
        assert!(net.drops > 5, "only {} drops", net.drops);
        assert!(net.flows[flow].received == net.flows[flow].to_send, "{congestion:?}");
        assert_eq!(net.client.unacknowledged(net.flows[flow].client), 0);
    }
}

#[test]
fn throughput_is_the_bottlenecks() {
    for congestion in [Congestion::Cubic, Congestion::Reno] {
        for (mbps, at_least) in [(1, 880_000), (4, 3_500_000)] {
            let mut net = Net::new(Pipe { bits_per_second: mbps * SECOND, ..CLEAN }, 1);
            let flow = net.upload(vec![0; 40_000_000], congestion);
            net.run_until(SimTime(5 * SECOND));
            let before = net.flows[flow].received.len();
            net.run_until(SimTime(35 * SECOND));
            let goodput = (net.flows[flow].received.len() - before) as u64 * 8 / 30;
            // Of a full packet 1460 of 1500 bytes are payload: 97.3 %.
            assert!((at_least..=mbps * 973_400).contains(&goodput), "{congestion:?} {mbps} Mbit/s: {goodput} bit/s");
        }
    }
}

#[test]
fn two_flows_share_the_bottleneck() {
    for congestion in [Congestion::Cubic, Congestion::Reno] {
        let mut net = Net::new(CLEAN, 5);
        let flows = [net.upload(vec![0; 40_000_000], congestion), net.upload(vec![0; 40_000_000], congestion)];
        net.run_until(SimTime(10 * SECOND));
        let before = flows.map(|flow| net.flows[flow].received.len());
        net.run_until(SimTime(100 * SECOND));
        let got = [0, 1].map(|which| (net.flows[flows[which]].received.len() - before[which]) as f64);
        let ratio = got[0].max(got[1]) / got[0].min(got[1]);
        // RFC 8868 section 4.6 calls up to 3 fair.
        assert!(ratio < 2.0, "{congestion:?}: {got:?}");
        assert!(got[0] + got[1] > 90.0 * 2_000_000.0 / 8.0 * 0.85, "{congestion:?}: {got:?}");
    }
}

#[test]
fn a_lost_tail_is_sent_again() {
    let mut net = Net::new(CLEAN, 1);
    let flow = net.upload(content(1_000), Congestion::Cubic);
    net.run_until(SimTime(60_000));
    assert_eq!(net.flows[flow].received.len(), 0, "the data are on their way");
    // Whatever flies now is lost.
    let mut lost = Net::new(Pipe { loss_ppm: 1_000_000, ..CLEAN }, 1);
    let lonely = lost.upload(content(1_000), Congestion::Cubic);
    lost.run_until(SimTime(4 * SECOND));
    assert_eq!(lost.client.state(lost.flows[lonely].client), State::Opening);
    // SYNs at 0, 1 and 3 s (RFC 6298).
    assert_eq!(lost.trace.len(), 3);
    net.run_until(SimTime(10 * SECOND));
    assert_eq!(net.flows[flow].received, net.flows[flow].to_send);
}

#[test]
fn both_ends_close_in_turn() {
    let mut net = Net::new(CLEAN, 1);
    let flow = net.upload(content(5_000), Congestion::Cubic);
    net.run_until(SimTime(SECOND));
    let (client, server) = (net.flows[flow].client, net.flows[flow].server.unwrap());
    assert_eq!((net.client.state(client), net.server.state(server)), (State::Open, State::Open));
    net.client.close(client);
    net.run_until(SimTime(2 * SECOND));
    assert_eq!((net.client.state(client), net.server.state(server)), (State::Closing, State::PeerClosed));
    assert_eq!(net.client.send(client, &[1]), 0, "nothing follows a FIN");
    net.server.release(server);
    net.run_until(SimTime(3 * SECOND));
    assert_eq!((net.client.state(client), net.server.state(server)), (State::Closed, State::Closed));
    assert_eq!(net.server.remote(server), None, "it is forgotten");
}

#[test]
fn a_reset_ends_both() {
    let mut net = Net::new(CLEAN, 1);
    let flow = net.upload(content(5_000), Congestion::Cubic);
    net.run_until(SimTime(SECOND));
    let (client, server) = (net.flows[flow].client, net.flows[flow].server.unwrap());
    net.client.abort(client);
    net.run_until(SimTime(2 * SECOND));
    assert_eq!(net.server.state(server), State::Closed);
    assert_eq!(net.client.remote(client), None);
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let mut net = Net::new(CLEAN, 1);
    let refused = net.client.connect(1, (SERVER.0, 80).into(), Settings::real_time()).unwrap();
    net.run_until(SimTime(SECOND));
    assert_eq!(net.client.state(refused), State::Closed);
    assert_eq!(net.server.accept(), None);
}

#[test]
fn a_nat_may_change_address_and_port() {
    let mut net = Net::new(CLEAN, 1);
    net.rewrite_source = Some("203.0.113.5:61000".parse().unwrap());
    let flow = net.upload(content(50_000), Congestion::Cubic);
    net.run_until(SimTime(5 * SECOND));
    assert!(net.flows[flow].received == net.flows[flow].to_send);
    assert_eq!(net.server.remote(net.flows[flow].server.unwrap()), net.rewrite_source);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let pipe = Pipe { loss_ppm: 30_000, jitter: Micros::from_millis(5), ..CLEAN };
    let trace = |seed| {
        let mut net = Net::new(pipe, seed);
        net.upload(content(300_000), Congestion::Cubic);
        net.run_until(SimTime(20 * SECOND));
        net.trace
    };
    assert!(trace(1) == trace(1));
    assert!(trace(1) != trace(2));
}

#[test]
fn what_nobody_reads_stops_the_sender() {
    let mut net = Net::new(CLEAN, 1);
    let flow = net.upload(vec![0; 10_000_000], Congestion::Cubic);
    net.run_until(SimTime(60_000));
    // The server's half is hidden from its reader.
    net.flows[flow].server = None;
    let settings = Settings::bulk(Congestion::Cubic);
    net.run_until(SimTime(30 * SECOND));
    assert_eq!(net.flows[flow].received.len(), 0);
    assert!(net.flows[flow].sent <= settings.send_buffer + settings.receive_buffer);
    assert_eq!(net.client.room(net.flows[flow].client), 0);
}

#[test]
fn connections_and_ports_are_limited() {
    let mut net = Net::new(CLEAN, 1);
    let settings = Settings { send_buffer: 1, receive_buffer: 1, ..Settings::real_time() };
    for port in 0..MAX_CONNECTIONS {
        net.client.connect(1_000 + port as u16, SERVER.into(), settings).unwrap();
    }
    assert_eq!(net.client.connect(999, SERVER.into(), settings), Err(TcpError::TooMany));
    let mut two = Net::new(CLEAN, 1);
    two.client.connect(1_000, SERVER.into(), settings).unwrap();
    assert_eq!(two.client.connect(1_000, SERVER.into(), settings), Err(TcpError::PortTaken(1_000)));
    assert!(two.client.connect(1_000, (SERVER.0, 80).into(), settings).is_ok());
    assert_eq!(net.server.listen(SERVER.1, settings), Err(TcpError::PortTaken(443)));
    assert_eq!(net.server.listen(0, settings), Err(TcpError::PortTaken(0)));
    let nowhere = "[2001:db8::1]:1".parse().unwrap();
    let mut fresh = Net::new(CLEAN, 1);
    assert_eq!(fresh.client.connect(1, nowhere, settings), Err(TcpError::Unaddressable(nowhere)));
}

#[test]
fn bytes_that_are_no_segment_do_nothing() {
    let mut net = Net::new(CLEAN, 1);
    let (from, to) = ((CLIENT, 5).into(), SERVER.into());
    for length in [0, 19, 20, 60, 1_480] {
        for fill in [0, 0x55, 0xff] {
            let datagram = Datagram::new(from, to, vec![fill; length]);
            net.server.handle(&Datagram { transport: Transport::Tcp, ..datagram }, SimTime::ZERO);
        }
    }
    assert_eq!(net.server.accept(), None);
    let flow = net.upload(content(10_000), Congestion::Cubic);
    net.run_until(SimTime(5 * SECOND));
    assert_eq!(net.flows[flow].received, net.flows[flow].to_send);
}
