//! The ways in which a registry is served: over what, and to whom.

/// How a test's server is reached, and by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) transport: Transport,
    pub(crate) access: Access,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    Http,
    /// With a certificate of an authority that the test makes for itself.
    Tls,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Anybody may read and write; there are no users.
    Anyone,
    /// Only a user may read and write: a challenge for Basic.
    User,
    /// Anybody may read and a user may write: the Docker token flow.
    PublicRead,
}

/// Makes a test of each function in each mode, named `mode::function`.
macro_rules! in_each_mode {
    ($($function:ident),+ $(,)?) => {
        $crate::mode::in_each_mode! { @mode http_anyone Http Anyone [$($function),+] }
        $crate::mode::in_each_mode! { @mode http_public_read Http PublicRead [$($function),+] }
        $crate::mode::in_each_mode! { @mode http_user Http User [$($function),+] }
        $crate::mode::in_each_mode! { @mode tls_anyone Tls Anyone [$($function),+] }
        $crate::mode::in_each_mode! { @mode tls_public_read Tls PublicRead [$($function),+] }
        $crate::mode::in_each_mode! { @mode tls_user Tls User [$($function),+] }
    };
    (@mode $name:ident $transport:ident $access:ident [$($function:ident),+]) => {
        mod $name {
            use $crate::mode::{Access, Mode, Transport};

            const MODE: Mode = Mode { transport: Transport::$transport, access: Access::$access };

            $(
                #[test]
                fn $function() {
                    super::$function(MODE);
                }
            )+
        }
    };
}

pub(crate) use in_each_mode;
