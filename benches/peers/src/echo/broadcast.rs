//! One message to many connections: what it costs the server for each that hears it.

use std::io::{self, Read, Write};
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::measure::settled;
use super::results::Broadcast;
use crate::Result;
use crate::client::{PATIENCE, client_frame, open, server_frame};
use crate::contenders::broadcast::Broadcaster;
use crate::server::Server;

/// Lets one say so many messages to all, one after the other; the first is not counted.
pub fn measure(
    broadcaster: &Broadcaster,
    connections: usize,
    payload: usize,
    rounds: usize,
) -> Result<Broadcast> {
    let server = Server::start_broadcast(broadcaster.name)?;
    let mut audience = Audience::open(&server, connections)?;
    let payload = vec![b'b'; payload];
    let (said, heard) = (client_frame(0x82, &payload), server_frame(0x82, &payload));
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let before = settled(&server)?;
        let began = Instant::now();
        audience.hear(&said, &heard)?;
        if round > 0 {
            wall.push(began.elapsed().as_secs_f64());
            cpu.push((settled(&server)? - before).as_nanos() as f64 / connections as f64);
        }
    }
    cpu.sort_by(f64::total_cmp);
    wall.sort_by(f64::total_cmp);
    Ok(Broadcast {
        name: broadcaster.name.into(),
        ours: broadcaster.name.starts_with("sockless"),
        how: broadcaster.how.into(),
        connections,
        payload: payload.len(),
        cpu: *cpu.first().ok_or("no round")?,
        median: *cpu.get(cpu.len() / 2).ok_or("no round")?,
        seconds: *wall.first().ok_or("no round")?,
    })
}

/// Everybody who hears.
struct Audience {
    poll: Poll,
    streams: Vec<(TcpStream, usize)>,
}

impl Audience {
    fn open(server: &Server, connections: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let mut streams = Vec::with_capacity(connections);
        for token in 0..connections {
            let stream = open(server.address)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(token), Interest::READABLE)?;
            streams.push((stream, 0));
        }
        Ok(Self { poll, streams })
    }

    /// The first says it; returns once all have heard it.
    fn hear(&mut self, said: &[u8], heard: &[u8]) -> Result {
        let (speaker, _) = self.streams.first_mut().ok_or("nobody")?;
        speaker.write_all(said)?;
        let mut missing = self.streams.len();
        let mut events = Events::with_capacity(1024);
        let mut space = vec![0; 64 << 10];
        while missing > 0 {
            self.poll.poll(&mut events, Some(PATIENCE))?;
            if events.is_empty() {
                return Err(format!("{missing} do not hear it").into());
            }
            for event in &events {
                let Some((stream, came)) = self.streams.get_mut(event.token().0) else { continue };
                loop {
                    match stream.read(&mut space) {
                        Ok(0) => return Err("the server ended a connection".into()),
                        Ok(count) if heard.get(*came..*came + count) == space.get(..count) => *came += count,
                        Ok(_) => return Err("what is heard is not what was said".into()),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error.into()),
                    }
                    if *came == heard.len() {
                        *came = 0;
                        missing -= 1;
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
