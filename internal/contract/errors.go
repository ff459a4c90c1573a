package contract

// Types of the ApplicationErrors that activities return. Match on these: an
// errors.Is across the activity boundary is always false.
const (
	// ErrTypeInvalid is bad input: a field, what is wrong with it, the remedy. Not retried.
	ErrTypeInvalid = "InvalidInput"
	// ErrTypeExists says that the name is taken by a finished backup or a running one. Not retried.
	ErrTypeExists = "AlreadyExists"
	// ErrTypeNotFound says that a named backup, restore or file is not there. Not retried.
	ErrTypeNotFound = "NotFound"
	// ErrTypeCorrupt says that stored bytes are not what was written, or hostile. Not retried.
	ErrTypeCorrupt = "CorruptArchive"
	// ErrTypeDenied says that the store or cluster refuses our identity. Not retried.
	ErrTypeDenied = "AccessDenied"
	// ErrTypeLocked says that a retention period or a legal hold keeps what was to be deleted. Not retried.
	ErrTypeLocked = "Locked"
	// ErrTypeLocation says that a storage location cannot serve (read-only, no bucket). Not retried.
	ErrTypeLocation = "LocationUnusable"
	// ErrTypeCluster says that the cluster's name belongs to another cluster in this storage
	// location. Not retried.
	ErrTypeCluster = "ClusterNameTaken"
	// ErrTypeWrongWorker says that the worker serves another cluster than the run's, or has
	// another place under the name of its storage location. It is retried for some minutes,
	// so that a worker takes it whose run it is.
	ErrTypeWrongWorker = "WrongWorker"
	// ErrTypeStopping says that the worker was asked to end. Another one resumes at the last
	// heartbeat, soon.
	ErrTypeStopping = "WorkerStopping"
)
