//! Tests of what `on_tokio` keeps to itself.

use std::collections::HashMap;
use std::time::Duration;

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What an address does: after so many milliseconds it answers, or fails. Without a time it is silent.
type Script = (&'static str, Option<u64>, bool);

/// Who answered or which error came first, after how many milliseconds, and when each address was tried.
async fn run(scripts: &[Script]) -> (Result<&'static str, String>, u128, Vec<u128>) {
    let began = TokioInstant::now();
    let by_address: HashMap<_, _> = scripts.iter().map(|script| (address(script.0), *script)).collect();
    let tried = std::cell::RefCell::new(Vec::new());
    let connected = first_of(scripts.iter().map(|script| address(script.0)), |address| {
        let (name, after, answers) = by_address[&address];
        tried.borrow_mut().push(began.elapsed().as_millis());
        async move {
            match after {
                Some(after) => sleep(Duration::from_millis(after)).await,
                None => std::future::pending().await,
            }
            match answers {
                true => Ok(name),
                false => Err(io::Error::other(name)),
            }
        }
    });
    let result = connected.await.map_err(|error| error.to_string());
    (result, began.elapsed().as_millis(), tried.into_inner())
}

const A: &str = "1.0.0.1:1";
const B: &str = "1.0.0.2:1";
const C: &str = "1.0.0.3:1";

#[tokio::test(start_paused = true)]
async fn req_8305_1_silence_costs_a_delay_and_a_failure_costs_nothing() {
    type Case<'c> = (&'c [Script], Result<&'c str, &'c str>, u128, &'c [u128]);
    let cases: [Case<'_>; 9] = [
        (&[(A, Some(10), true), (B, Some(0), true)], Ok(A), 10, &[0]),
        (&[(A, None, true), (B, Some(5), true)], Ok(B), 255, &[0, 250]),
        (&[(A, Some(1), false), (B, Some(5), true)], Ok(B), 6, &[0, 1]),
        (&[(A, None, true), (B, Some(0), false), (C, Some(2), true)], Ok(C), 252, &[0, 250, 250]),
        // The slow one goes on while others are tried, and its failure later starts the next.
        (&[(A, Some(300), true), (B, None, true)], Ok(A), 300, &[0, 250]),
        (&[(A, Some(300), false), (B, None, true), (C, Some(1), true)], Ok(C), 301, &[0, 250, 300]),
        (&[(A, Some(400), false), (B, Some(1), false)], Err(B), 400, &[0, 250]),
        (&[(A, Some(1), false)], Err(A), 1, &[0]),
        (&[], Err("address not available"), 0, &[]),
    ];
    for (scripts, result, after, tried) in cases {
        let result = result.map_err(str::to_owned);
        assert_eq!(run(scripts).await, (result, after, tried.to_vec()), "{scripts:?}");
    }
}
