package socket

import "syscall"

// Windows Sockets has other numbers than package syscall.
const (
	wsaEMSGSIZE      syscall.Errno = 10040
	wsaEADDRINUSE    syscall.Errno = 10048
	wsaEADDRNOTAVAIL syscall.Errno = 10049
	wsaENETDOWN      syscall.Errno = 10050
	wsaENETUNREACH   syscall.Errno = 10051
	wsaENETRESET     syscall.Errno = 10052
	wsaENOBUFS       syscall.Errno = 10055
	wsaETIMEDOUT     syscall.Errno = 10060
	wsaECONNREFUSED  syscall.Errno = 10061
	wsaEHOSTUNREACH  syscall.Errno = 10065
)

func kindOfErrno(errno syscall.Errno) error {
	switch errno {
	case wsaECONNREFUSED:
		return ErrRefused
	case wsaENETDOWN, wsaENETUNREACH, wsaEHOSTUNREACH:
		return ErrUnreachable
	case wsaEADDRINUSE, wsaEADDRNOTAVAIL:
		return ErrAddressInUse
	case wsaEMSGSIZE:
		return ErrMessageTooLong
	case syscall.WSAECONNRESET, syscall.WSAECONNABORTED, wsaENETRESET:
		return ErrReset
	case wsaENOBUFS:
		return ErrBusy
	case wsaETIMEDOUT:
		return ErrTimeout
	}
	return commonErrno(errno)
}
