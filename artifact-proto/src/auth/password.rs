//! Passwords: hashed with argon2id, checked one at a time.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use artifact_core::{Clock, Generation, Rng, Spawn, SpawnExt as _, guard};
use hmac::Mac as _;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::token::keyed;

/// The longest password that is taken, in bytes.
pub const PASSWORD_MAX: usize = 1_024;

/// How long a password that passed need not be hashed again.
const REMEMBERED: Duration = Duration::from_secs(300);

/// How many such passwords are remembered.
const REMEMBERED_MAX: usize = 1_024;

/// How many checks may wait for their turn; more are told to come again.
const WAITING_MAX: usize = 64;

/// The most that a stored hash may ask for, in KiB; one check has this much at a time (I23).
const MEMORY_MAX: u32 = 64 << 10;

/// A hash that no password has, of the usual cost: who is not known takes as long as who is (A26).
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyBpdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a new password, for a user's record.
///
/// It takes some 20 ms and 19 MiB.
///
/// # Errors
/// [`PasswordError`] for one that is empty or too long.
pub fn hash_password(password: &str, rng: &dyn Rng) -> Result<String, PasswordError> {
    if guard!(526) && (password.is_empty() || password.len() > PASSWORD_MAX) {
        return Err(PasswordError);
    }
    let mut salt = [0; 16];
    rng.fill(&mut salt);
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| PasswordError)
}

/// The password cannot be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a password has between 1 and {PASSWORD_MAX} bytes")]
#[non_exhaustive]
pub struct PasswordError;

/// Too many passwords wait to be checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many passwords are being checked: try again")]
pub(super) struct Crowded;

/// Checks passwords: one at a time, for each check takes some 19 MiB, and what passed is remembered
/// for a while under a key that only this process has.
pub(super) struct Passwords {
    clock: Arc<dyn Clock>,
    spawn: Arc<dyn Spawn>,
    key: [u8; 32],
    /// What the password of one who is not known is checked against.
    nobody: &'static str,
    turn: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    passed: Mutex<Passed>,
}

#[derive(Default)]
struct Passed {
    until: HashMap<[u8; 32], u64>,
    order: VecDeque<[u8; 32]>,
}

impl Passwords {
    /// Returns a checker that remembers nothing yet.
    pub(super) fn new(clock: Arc<dyn Clock>, spawn: Arc<dyn Spawn>, rng: &dyn Rng) -> Self {
        let mut key = [0; 32];
        rng.fill(&mut key);
        Self {
            clock,
            spawn,
            key,
            nobody: NOBODY,
            turn: Arc::new(Semaphore::new(guard!(523, 1, else Semaphore::MAX_PERMITS))),
            waiting: Arc::new(Semaphore::new(
                guard!(522, WAITING_MAX, else Semaphore::MAX_PERMITS),
            )),
            passed: Mutex::default(),
        }
    }

    /// Says whether a password is the one of a user, of whom the hash and the generation of the
    /// record are given; of nobody, where none are.
    ///
    /// # Errors
    /// [`Crowded`] when too many wait.
    pub(super) async fn check(
        &self,
        user: &str,
        password: &str,
        known: Option<(&str, Generation)>,
    ) -> Result<bool, Crowded> {
        let mark = known.map(|(_, generation)| self.mark(user, generation, password));
        if mark.is_some_and(|mark| self.remembers(&mark)) {
            return Ok(true);
        }
        let hash = known.map_or(self.nobody, |(hash, _)| hash).to_owned();
        let password = password.to_owned();
        let place = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| Crowded)?;
        let turn = Arc::clone(&self.turn)
            .acquire_owned()
            .await
            .map_err(|_| Crowded)?;
        // The permits go with the work: a caller that goes away does not let another one begin.
        let work = move || {
            let _permits = (place, turn);
            verify(&hash, &password)
        };
        let right = self.spawn.run_blocking(work).await.unwrap_or(false);
        let right = right && guard!(396, known.is_some());
        if let (true, Some(mark)) = (right, mark) {
            self.remember(mark);
        }
        Ok(right)
    }

    /// Returns what is remembered of a password that passed: nothing that it could be guessed from.
    fn mark(&self, user: &str, generation: Generation, password: &str) -> [u8; 32] {
        let mut mac = keyed(&self.key);
        for part in [user.as_bytes(), password.as_bytes()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.update(&generation.get().to_be_bytes());
        mac.finalize().into_bytes().into()
    }

    fn remembers(&self, mark: &[u8; 32]) -> bool {
        let now = self.clock.boot().millis;
        self.passed
            .lock()
            .until
            .get(mark)
            .is_some_and(|until| guard!(397, now < *until))
    }

    fn remember(&self, mark: [u8; 32]) {
        let life = u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX);
        let until = self.clock.boot().millis.saturating_add(life);
        let mut passed = self.passed.lock();
        if passed.until.insert(mark, until).is_none() {
            passed.order.push_back(mark);
        }
        if guard!(521)
            && passed.order.len() > REMEMBERED_MAX
            && let Some(oldest) = passed.order.pop_front()
        {
            passed.until.remove(&oldest);
        }
    }
}

impl fmt::Debug for Passwords {
    /// Leaves the key and what is remembered out (I27).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

fn verify(hash: &str, password: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    let memory = hash.params.get_decimal("m").unwrap_or(0);
    let affordable =
        guard!(524, memory <= MEMORY_MAX) && guard!(525, password.len() <= PASSWORD_MAX);
    affordable
        && Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use artifact_core::{BootId, BootTime, Timestamp};
    use futures::future::BoxFuture;

    use super::*;

    #[derive(Debug, Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
        fn boot(&self) -> BootTime {
            BootTime::new(BootId::new("test"), self.0.load(Ordering::Relaxed))
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    #[derive(Debug, Default)]
    struct Counting(AtomicU64);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let next = self.0.fetch_add(1, Ordering::Relaxed);
            for (byte, value) in bytes.iter_mut().zip(next.to_le_bytes().into_iter().cycle()) {
                *byte = value;
            }
        }
    }

    /// Runs what blocks at once, and counts it.
    #[derive(Debug, Default)]
    struct Here(AtomicU64);

    impl Spawn for Here {
        fn spawn(&self, future: BoxFuture<'static, ()>) {
            tokio::spawn(future);
        }
        fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            work();
        }
    }

    fn passwords() -> (Passwords, Arc<Hand>, Arc<Here>) {
        let (clock, spawn) = (Arc::new(Hand::default()), Arc::new(Here::default()));
        let passwords = Passwords::new(
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&spawn) as Arc<dyn Spawn>,
            &Counting::default(),
        );
        (passwords, clock, spawn)
    }

    #[tokio::test]
    async fn what_passed_is_remembered_for_five_minutes_and_for_its_record_alone() {
        let (passwords, clock, spawn) = passwords();
        let hash = hash_password("secret", &Counting::default()).unwrap();
        let first = Some((hash.as_str(), Generation::new(1)));
        let hashed = || spawn.0.load(Ordering::Relaxed);
        assert_eq!(passwords.check("ann", "secret", first).await, Ok(true));
        assert_eq!(passwords.check("ann", "secret", first).await, Ok(true));
        assert_eq!(hashed(), 1, "the second time it was remembered");
        let second = Some((hash.as_str(), Generation::new(2)));
        assert_eq!(passwords.check("ann", "secret", second).await, Ok(true));
        assert_eq!(hashed(), 2, "another generation is another record");
        clock.0.store(300_000, Ordering::Relaxed);
        assert_eq!(passwords.check("ann", "secret", first).await, Ok(true));
        assert_eq!(hashed(), 3, "after five minutes it is hashed again");
    }

    /// A26: a user who is not there costs as much as a wrong password.
    #[tokio::test]
    async fn a26_nobody_is_checked_like_somebody() {
        let (passwords, _, spawn) = passwords();
        let hash = hash_password("secret", &Counting::default()).unwrap();
        let known = Some((hash.as_str(), Generation::new(1)));
        assert_eq!(passwords.check("ann", "wrong", known).await, Ok(false));
        assert_eq!(passwords.check("ann", "", known).await, Ok(false));
        assert_eq!(passwords.check("bob", "secret", None).await, Ok(false));
        assert_eq!(spawn.0.load(Ordering::Relaxed), 3, "each was hashed");
        assert!(
            PasswordHash::new(NOBODY).is_ok(),
            "the hash of nobody is one"
        );
        let ours = PasswordHash::new(&hash).unwrap();
        assert_eq!(ours.params, PasswordHash::new(NOBODY).unwrap().params);
    }

    /// A26: who is not known gets in with no password, also where one is found that fits what his is checked
    /// against.
    #[tokio::test]
    async fn a26_nobody_has_a_password() {
        let (mut passwords, _, _) = passwords();
        let hash = hash_password("secret", &Counting::default()).unwrap();
        passwords.nobody = hash.leak();
        assert_eq!(passwords.check("bob", "secret", None).await, Ok(false));
    }

    /// Puts what blocks aside, until it is told to do it.
    #[derive(Debug, Default)]
    struct Later(Mutex<VecDeque<Work>>);

    struct Work(Box<dyn FnOnce() + Send>);

    impl fmt::Debug for Work {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Work")
        }
    }

    impl Spawn for Later {
        fn spawn(&self, future: BoxFuture<'static, ()>) {
            tokio::spawn(future);
        }
        fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
            self.0.lock().push_back(Work(work));
        }
    }

    /// I23: one password is checked at a time, so many wait for their turn, and the next is told to come again.
    #[tokio::test]
    async fn i23_passwords_are_checked_one_at_a_time_and_few_wait() {
        let later = Arc::new(Later::default());
        let clock = Arc::new(Hand::default());
        let spawn = Arc::clone(&later) as Arc<dyn Spawn>;
        let passwords = Arc::new(Passwords::new(clock, spawn, &Counting::default()));
        let begin = async || {
            let passwords = Arc::clone(&passwords);
            // A hash that costs nothing: what is counted is who may begin.
            let known = Some(("nonsense", Generation::new(1)));
            let mut check = Box::pin(async move { passwords.check("ann", "x", known).await });
            (futures::poll!(&mut check), check)
        };
        let mut waiting = Vec::new();
        for _ in 0..WAITING_MAX {
            let (first, check) = begin().await;
            assert!(first.is_pending());
            waiting.push(check);
        }
        assert_eq!(later.0.lock().len(), 1, "one at a time");
        let (crowded, _) = begin().await;
        assert_eq!(crowded, std::task::Poll::Ready(Err(Crowded)));
        for check in waiting {
            let check = tokio::spawn(check);
            while !check.is_finished() {
                let work = later.0.lock().pop_front();
                if let Some(Work(work)) = work {
                    assert!(later.0.lock().is_empty(), "one at a time");
                    work();
                }
                tokio::task::yield_now().await;
            }
            assert_eq!(check.await.unwrap(), Ok(false));
        }
        assert!(begin().await.0.is_pending(), "there is room again");
    }

    #[tokio::test]
    async fn no_more_are_remembered_than_bounded() {
        let (passwords, _, _) = passwords();
        for user in 0..REMEMBERED_MAX + 10 {
            passwords.remember(passwords.mark(&user.to_string(), Generation::new(1), "x"));
        }
        assert_eq!(passwords.passed.lock().until.len(), REMEMBERED_MAX);
        assert_eq!(passwords.passed.lock().order.len(), REMEMBERED_MAX);
        assert!(!passwords.remembers(&passwords.mark("0", Generation::new(1), "x")));
    }

    /// Returns the hash of a password at a cost that [`hash_password`] does not have.
    fn hash_of(password: &str, memory: u32) -> String {
        let params = argon2::Params::new(memory, 1, 1, None).unwrap();
        let (kind, version) = (argon2::Algorithm::Argon2id, argon2::Version::V0x13);
        let hash = Argon2::new(kind, version, params)
            .hash_password_with_salt(password.as_bytes(), &[7; 16]);
        hash.unwrap().to_string()
    }

    /// I23: what a check takes is bounded, by the hash's cost and by the password's length, also where both fit.
    #[test]
    fn i23_no_check_takes_more_than_it_may() {
        let long = "x".repeat(PASSWORD_MAX);
        assert!(verify(&hash_of("x", MEMORY_MAX), "x"));
        assert!(!verify(&hash_of("x", MEMORY_MAX + 1), "x"));
        assert!(verify(&hash_of(&long, 64), &long));
        let longer = long + "x";
        assert!(!verify(&hash_of(&longer, 64), &longer));
    }

    /// I23: a stored hash cannot ask for more memory than a check has.
    #[test]
    fn i23_a_hash_that_asks_for_too_much_is_none() {
        let greedy = NOBODY.replace("m=19456", "m=4194304");
        assert!(!verify(&greedy, "x"));
        assert!(!verify("nonsense", "x"));
        assert!(hash_password("", &Counting::default()).is_err());
        assert!(hash_password(&"x".repeat(PASSWORD_MAX + 1), &Counting::default()).is_err());
    }
}
