//! Tests of what `read_buffer` keeps to itself.

use super::{BufferPool, ReadBuffer, Vec};
use alloc::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Operation {
    Acquire { announced: u64 },
    Read { bytes: usize, announced: u64, at_once: bool },
    ExpectFrames(usize),
    Consume(usize),
    Take(usize),
    TakeFront(usize),
    Join(usize),
    ConsumeMessage(usize),
    ClearMessage,
    Release,
    ReleaseToNobody,
    Restart,
}

fn steps() -> impl Strategy<Value = Operation> {
    let announced = prop_oneof![3 => Just(0), 3 => 1..300_u64, 2 => 300..9000_u64, 1 => any::<u64>()];
    let some = || prop_oneof![0..20_usize, 0..3000_usize];
    prop_oneof![
        6 => (some(), announced.clone(), any::<bool>())
            .prop_map(|(bytes, announced, at_once)| Operation::Read { bytes, announced, at_once }),
        3 => announced.prop_map(|announced| Operation::Acquire { announced }),
        1 => some().prop_map(Operation::ExpectFrames),
        2 => some().prop_map(Operation::Consume),
        1 => some().prop_map(Operation::Take),
        2 => some().prop_map(Operation::TakeFront),
        4 => some().prop_map(Operation::Join),
        1 => some().prop_map(Operation::ConsumeMessage),
        2 => Just(Operation::ClearMessage),
        2 => Just(Operation::Release),
        1 => Just(Operation::ReleaseToNobody),
        1 => Just(Operation::Restart),
    ]
}

/// What a read buffer holds, in the plainest form.
#[derive(Default)]
struct Naive {
    message: Vec<u8>,
    unread: Vec<u8>,
}

impl Naive {
    fn consume(&mut self, count: usize) -> Vec<u8> {
        self.unread.drain(..count.min(self.unread.len())).collect()
    }
}

/// Does the same to both, and compares what comes of it.
fn apply(step: &Operation, buffer: &mut ReadBuffer, naive: &mut Naive, pool: &mut BufferPool, next: &mut u8) {
    match *step {
        Operation::Acquire { announced } => {
            if !buffer.has_space() {
                buffer.acquire(announced, pool);
            }
        }
        Operation::Read { bytes, announced, at_once } => {
            let space = match buffer.has_space() {
                true => buffer.plain_space(),
                false => buffer.space(announced, at_once),
            };
            assert!(!space.is_empty());
            let count = bytes.min(space.len());
            for slot in &mut space[..count] {
                *next = next.wrapping_mul(5).wrapping_add(1);
                *slot = *next;
                naive.unread.push(*next);
            }
            buffer.filled(count);
        }
        Operation::ExpectFrames(bytes) => buffer.expect_frames(bytes),
        Operation::Consume(count) => {
            buffer.consume(count);
            naive.consume(count);
        }
        Operation::Take(count) => {
            let taken = buffer.take(|input| input.take(count).to_vec());
            assert_eq!(taken, naive.consume(count));
        }
        Operation::TakeFront(count) => {
            let count = count.min(naive.unread.len());
            let taken = buffer.take_front(count).to_vec();
            assert_eq!(taken, naive.consume(count));
        }
        Operation::Join(count) => {
            buffer.join(count);
            let piece = naive.consume(count);
            naive.message.extend(piece);
        }
        #[cfg(feature = "deflate")]
        Operation::ConsumeMessage(count) => {
            buffer.consume_message(count);
            naive.message.drain(..count.min(naive.message.len()));
        }
        #[cfg(not(feature = "deflate"))]
        Operation::ConsumeMessage(_) => {}
        Operation::ClearMessage => {
            buffer.clear_message();
            naive.message.clear();
        }
        Operation::Release => buffer.release(pool),
        Operation::ReleaseToNobody => buffer.release(&mut BufferPool::new()),
        Operation::Restart => {
            buffer.restart();
            *naive = Naive::default();
        }
    }
}

fn assert_alike(buffer: &mut ReadBuffer, naive: &Naive) {
    let (message, unread) = (buffer.message.clone(), buffer.unread.clone());
    assert!(message.start <= message.end && message.end <= unread.start, "{buffer:?}");
    assert!(unread.start <= unread.end && unread.end <= buffer.buf.len(), "{buffer:?}");
    assert_eq!((buffer.message(), buffer.unread_len()), (&naive.message[..], naive.unread.len()));
    assert_eq!(buffer.unread(), &naive.unread);
    assert_eq!(buffer.is_empty(), naive.message.is_empty() && naive.unread.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn two_buffers_of_one_pool_hold_what_a_pair_of_vectors_holds(
        standard in prop_oneof![0..40_usize, Just(1024_usize)],
        received in 0..3000_usize,
        steps in prop::collection::vec((any::<bool>(), steps()), 1..60),
    ) {
        let received: Vec<u8> = (0..received).map(|n| (n % 251) as u8).collect();
        let mut first = (ReadBuffer::new(standard, &received), Naive::default());
        first.1.unread = received;
        let mut second = (ReadBuffer::new(standard, &[]), Naive::default());
        let (mut pool, mut next) = (BufferPool::new(), 0);
        for (which, step) in &steps {
            let (buffer, naive) = if *which { &mut first } else { &mut second };
            apply(step, buffer, naive, &mut pool, &mut next);
            assert_alike(buffer, naive);
        }
        assert_alike(&mut first.0, &first.1);
        assert_alike(&mut second.0, &second.1);
    }
}
