//! The part of the board that is needed: a serial port, polled, and the reset.
//
// Owns: registers; all `unsafe` of the firmware is here.
// Must not know: what is sent.

use core::convert::Infallible;
use core::ptr;

use embedded_io::{ErrorType, Read, Write};

/// UART 0 of the board: a "CMSDK APB UART" (Arm DDI 0479, section 4.3).
pub struct Uart(());

const UART0: usize = 0x4000_4000;
const DATA: usize = UART0;
const STATE: usize = UART0 + 0x04;
const CTRL: usize = UART0 + 0x08;
const BAUD_DIVISOR: usize = UART0 + 0x10;

const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;

/// How often the port is asked for one more byte before what came is handed out.
const PATIENCE: u32 = 2000;

impl Uart {
    /// Switches the port on, at the fastest rate.
    pub fn new() -> Self {
        write(BAUD_DIVISOR, 16);
        write(CTRL, 0b11);
        Self(())
    }

    fn poll(&mut self) -> Option<u8> {
        (read(STATE) & RX_FULL != 0).then(|| read(DATA) as u8)
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    /// Waits for a byte, then takes those that follow without a pause. A serial line has no end.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        let mut count = 0;
        for slot in buf {
            let mut patience = PATIENCE;
            *slot = loop {
                match self.poll() {
                    Some(byte) => break byte,
                    None if count == 0 => {}
                    None if patience == 0 => return Ok(count),
                    None => patience -= 1,
                }
            };
            count += 1;
        }
        Ok(count)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            while read(STATE) & TX_FULL != 0 {}
            write(DATA, u32::from(byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while read(STATE) & TX_FULL != 0 {}
        Ok(())
    }
}

/// Resets the processor (Armv7-M, section B3.2.6): this board has no other way to hang up.
pub fn reset() -> ! {
    const AIRCR: usize = 0xE000_ED0C;
    const SYSRESETREQ: u32 = 0x05FA_0004;
    write(AIRCR, SYSRESETREQ);
    loop {
        core::hint::spin_loop();
    }
}

fn read(register: usize) -> u32 {
    // SAFETY: only called with the addresses of registers above.
    unsafe { ptr::read_volatile(register as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: only called with the addresses of registers above.
    unsafe { ptr::write_volatile(register as *mut u32, value) }
}
