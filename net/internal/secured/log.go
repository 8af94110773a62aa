package secured

import "log/slog"

// LogDebug logs err at debug level, unless there is none or no logger.
func LogDebug(log *slog.Logger, msg string, err error) {
	if log != nil && err != nil {
		log.Debug(msg, "error", err)
	}
}
