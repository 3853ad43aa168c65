//! Clients in a room, who count: what they heard, what was lost, and how soon those were back who lost their connection.
//! `examples/redis/run` starts it, and ends a process of the room meanwhile.
//!
//! It prints `joined PROCESS COUNT` for each process once all are in, and then they talk. It ends with 1 unless everybody whose
//! connection stayed has heard all that they said, once, and all others came back.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use sockless_connect::{Connect, ConnectError};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{interval, timeout};

#[derive(Parser)]
struct Options {
    url: String,
    #[arg(long, default_value = "300")]
    clients: usize,
    /// How long they talk.
    #[arg(long, default_value = "12")]
    seconds: usize,
    /// Messages in a second, of all clients together.
    #[arg(long, default_value = "50")]
    rate: usize,
}

enum News {
    Joined(String),
    Lost,
    Heard(usize),
    GaveUp(ConnectError),
}

struct Client {
    /// What it is to say.
    say: Sender<usize>,
    /// The process of each of its connections.
    processes: Vec<String>,
    lost: Option<Instant>,
    away: Duration,
    /// How often it heard each message.
    heard: Vec<u8>,
}

impl Client {
    fn is_in(&self) -> bool {
        !self.processes.is_empty() && self.lost.is_none()
    }

    /// Whether it has still its first connection.
    fn stayed(&self) -> bool {
        self.is_in() && self.processes.len() == 1
    }

    fn note(&mut self, news: News) {
        match news {
            News::Joined(process) => {
                self.away = self.lost.take().map_or(Duration::ZERO, |lost| lost.elapsed());
                self.processes.push(process);
            }
            News::Lost => self.lost = Some(Instant::now()),
            News::Heard(message) => {
                if let Some(count) = self.heard.get_mut(message) {
                    *count = count.saturating_add(1);
                }
            }
            News::GaveUp(error) => println!("a client gave up: {error}"),
        }
    }
}

/// Comes back whenever the connection is lost.
async fn join(id: usize, url: String, news: Sender<(usize, News)>, mut say: Receiver<usize>) {
    let tell = |what| async { drop(news.send((id, what)).await) };
    let mut room = Connect::new(url).without_deflate().reconnecting();
    loop {
        let (socket, response) = match room.next().await {
            Ok(Some(next)) => next,
            Ok(None) => return,
            Err(error) => return tell(News::GaveUp(error)).await,
        };
        tell(News::Joined(response.field("X-Served-By").unwrap_or("somebody").to_owned())).await;
        loop {
            tokio::select! {
                message = socket.recv() => {
                    let Ok(Some(message)) = message else { break };
                    if let Some(Ok(message)) = message.as_text().map(str::parse) {
                        tell(News::Heard(message)).await;
                    }
                }
                Some(message) = say.recv() => {
                    if socket.send(&*message.to_string()).await.is_err() {
                        break;
                    }
                }
            }
        }
        tell(News::Lost).await;
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let messages = options.seconds * options.rate;
    let (tell, mut news) = channel(1024);
    let mut clients = Vec::new();
    for id in 0..options.clients {
        let (say, to_say) = channel(8);
        tokio::spawn(join(id, options.url.clone(), tell.clone(), to_say));
        let heard = vec![0; messages];
        clients.push(Client { say, processes: Vec::new(), lost: None, away: Duration::ZERO, heard });
    }
    while !clients.iter().all(Client::is_in) {
        let Some((id, what)) = news.recv().await else { return ExitCode::FAILURE };
        clients[id].note(what);
    }
    for (process, count) in at_processes(clients.iter()) {
        println!("joined {process} {count}");
    }
    let mut speakers = Vec::new();
    let mut turn = interval(Duration::from_secs(1) / u32::try_from(options.rate).unwrap_or(u32::MAX));
    while speakers.len() < messages {
        tokio::select! {
            _ = turn.tick() => {
                // Whoever is away says nothing.
                let next = speakers.last().map_or(0, |last| last + 1);
                let in_turn = (next..next + options.clients).map(|id| id % options.clients);
                if let Some(id) = in_turn.into_iter().find(|&id| clients[id].is_in()) {
                    let _ = clients[id].say.try_send(speakers.len());
                    speakers.push(id);
                }
            }
            Some((id, what)) = news.recv() => clients[id].note(what),
        }
    }
    // Until all are back and nothing comes any more.
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        match timeout(Duration::from_secs(1), news.recv()).await {
            Ok(Some((id, what))) => clients[id].note(what),
            _ if clients.iter().all(Client::is_in) => break,
            _ => {}
        }
    }
    report(&clients, &speakers)
}

/// How many of them are at each process, or were when they lost their connection.
fn at_processes<'c>(clients: impl Iterator<Item = &'c Client>) -> BTreeMap<&'c str, usize> {
    let mut counts = BTreeMap::new();
    for process in clients.filter_map(|client| client.processes.last()) {
        *counts.entry(process.as_str()).or_default() += 1;
    }
    counts
}

fn report(clients: &[Client], speakers: &[usize]) -> ExitCode {
    let (stayed, others): (Vec<_>, Vec<_>) = clients.iter().partition(|client| client.stayed());
    let (mut whole, mut lost, mut faults) = (0, 0, 0);
    for (message, &speaker) in speakers.iter().enumerate() {
        let once = stayed.iter().filter(|client| client.heard[message] == 1).count();
        let never = stayed.iter().filter(|client| client.heard[message] == 0).count();
        if once == stayed.len() {
            whole += 1;
        } else if never == stayed.len() && !clients[speaker].stayed() {
            lost += 1;
        } else {
            faults += 1;
            println!("message {message}: {once} heard it once, {never} not at all");
        }
    }
    println!(
        "{} messages: {whole} were heard once by each of the {} clients whose connection stayed; {lost} by nobody, and their \
         speakers had lost their connection; {faults} by some, or twice",
        speakers.len(),
        stayed.len(),
    );
    let back = others.iter().filter(|client| client.is_in()).count();
    println!(
        "{} clients lost their connection, and {back} are back: {:?}",
        others.len(),
        at_processes(clients.iter())
    );
    let mut from: Vec<_> = others.iter().filter_map(|client| client.processes.first()).collect();
    from.dedup();
    if !others.is_empty() {
        println!("those who lost it were at {from:?}");
        let middle = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            (values[0], values[values.len() / 2], values[values.len() - 1])
        };
        let (least, median, most) = middle(others.iter().map(|client| client.away.as_secs_f64()).collect());
        println!("they were away for {least:.1} to {most:.1} s, half of them for less than {median:.1} s");
        let missed =
            |client: &&Client| client.heard.iter().filter(|&&count| count == 0).count().saturating_sub(lost);
        let (least, median, most) = middle(others.iter().map(missed).map(|count| count as f64).collect());
        println!("of the others' messages they missed {least} to {most}, half of them less than {median}");
    }
    let again = others.iter().all(|client| client.processes.len() == 2);
    let right = faults == 0 && back == others.len() && from.len() <= 1 && again && !stayed.is_empty();
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
