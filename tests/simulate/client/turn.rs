//! What a client does next.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use artifact_core::Mode;
use futures::{FutureExt as _, future::BoxFuture};

use super::base::Client;

/// Ends a future after so many polls, as a client does that hangs up.
struct Limited<F> {
    future: Option<F>,
    polls: u64,
}

impl<F: Future<Output = ()> + Unpin> Future for Limited<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(false);
        }
        self.polls -= 1;
        match self
            .future
            .as_mut()
            .map(|future| future.poll_unpin(context))
        {
            Some(Poll::Pending) => Poll::Pending,
            _ => Poll::Ready(true),
        }
    }
}

impl Client {
    /// Asks until it has asked enough.
    pub(crate) async fn run(self) {
        loop {
            {
                let mut left = self.memory.left.lock();
                if *left == 0 {
                    return;
                }
                *left -= 1;
            }
            let polls = if self.memory.chance.one_in(8) {
                1 + self.memory.chance.below(30)
            } else {
                u64::MAX
            };
            let limited = Limited {
                future: Some(self.act()),
                polls,
            };
            if !limited.await {
                self.place.oracle.count("hang-ups");
            }
            self.place.work.pause().await;
        }
    }

    pub(super) fn act(&self) -> BoxFuture<'_, ()> {
        let chance = &self.memory.chance;
        // Who finds it read-only mostly ends that first.
        if self.place.oracle.model(crate::oracle::Model::is_read_only) && chance.one_in(3) {
            return self.set_mode_to(Mode::ReadWrite).boxed();
        }
        if self.place.goods.purges && self.memory.rare.one_in(8) {
            return self.purge().boxed();
        }
        match chance.below(100) {
            0..10 => self.push_one().boxed(),
            10..28 => self.publish().boxed(),
            28..35 => self.begin().boxed(),
            35..45 => self.go_on().boxed(),
            45..49 => self.mount().boxed(),
            49..52 => self.stat().boxed(),
            52..60 => self.read().boxed(),
            60..69 => self.move_tag().boxed(),
            69..74 => self.delete().boxed(),
            74..78 => self.bring().boxed(),
            78..86 => self.look().boxed(),
            86..93 => self.collect().boxed(),
            93..95 => self.scrub().boxed(),
            95..97 => self.set_mode().boxed(),
            97 => self.trespass().boxed(),
            98 => self.lie().boxed(),
            _ => self.cancel().boxed(),
        }
    }
}
