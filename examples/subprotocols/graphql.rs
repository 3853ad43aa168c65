//! The conversation of `graphql-transport-ws`: <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>. It says which
//! code a Close has for what. In place of a schema there is one counter.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use sockless::tokio::ServerSocket;
use sockless::{CloseCode, CloseFrame, CloseReason, Error};
use tokio::time::{interval, sleep};

const QUERY: &str = "subscription { count }";
const MAX_SUBSCRIPTIONS: usize = 16;
const TIME_TO_BEGIN: Duration = Duration::from_secs(3);

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    ConnectionInit,
    Ping,
    Pong,
    Subscribe { id: String, payload: Request },
    Complete { id: String },
}

#[derive(Deserialize)]
struct Request {
    query: String,
}

/// Until the client has ended it, or this Close is to tell it why it does not go on.
pub async fn serve(socket: &mut ServerSocket) -> Result<Option<CloseFrame<'static>>, Error> {
    let (mut begun, mut counters) = (false, BTreeMap::<String, u32>::new());
    let (late, mut tick) = (sleep(TIME_TO_BEGIN), interval(Duration::from_millis(100)));
    tokio::pin!(late);
    loop {
        // All of these are cancel safe: the others lose nothing when one of them is first.
        tokio::select! {
            message = socket.recv() => {
                let Some(message) = message? else { return Ok(None) };
                let answer = match message.json() {
                    Ok(Said::ConnectionInit) if begun => return close(4429, "Too many initialisation requests"),
                    Ok(Said::ConnectionInit) => {
                        begun = true; // here its payload, perhaps a token, would be checked
                        json!({"type": "connection_ack"})
                    }
                    Ok(Said::Ping) => json!({"type": "pong"}),
                    Ok(Said::Pong) => continue,
                    Ok(Said::Subscribe { .. }) if !begun => return close(4401, "Unauthorized"),
                    Ok(Said::Subscribe { id, .. }) if counters.contains_key(&id) => {
                        return close(4409, "There is such a subscriber already");
                    }
                    Ok(Said::Subscribe { id, payload }) => {
                        if payload.query == QUERY && counters.len() < MAX_SUBSCRIPTIONS {
                            counters.insert(id, 0);
                            continue;
                        }
                        json!({"type": "error", "id": id, "payload": [{"message": format!("ask for {QUERY}")}]})
                    }
                    Ok(Said::Complete { id }) => {
                        counters.remove(&id);
                        continue;
                    }
                    Err(_) => return close(4400, "Invalid message"),
                };
                socket.feed(&answer.to_string()).await?;
            }
            // While the client does not read, `feed` waits for room, and nothing is counted.
            _ = tick.tick(), if !counters.is_empty() => for (id, count) in &mut counters {
                *count += 1;
                let next = json!({"type": "next", "id": id, "payload": {"data": {"count": count}}});
                socket.feed(&next.to_string()).await?;
            },
            () = &mut late, if !begun => return close(4408, "Connection initialisation timeout"),
        }
    }
}

fn close(code: u16, reason: &'static str) -> Result<Option<CloseFrame<'static>>, Error> {
    let code = CloseCode::application(code).unwrap_or(CloseCode::INTERNAL_ERROR);
    Ok(Some(CloseFrame::new(code, CloseReason::truncated(reason))))
}
