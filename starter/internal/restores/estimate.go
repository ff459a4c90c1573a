package restores

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Estimate is `restore estimate`.
func (cs Commands) Estimate() *cobra.Command {
	out, location := console.Output{}, ""
	c := &cobra.Command{
		Use:   "estimate BACKUP",
		Short: "Predict how long a restore of a backup takes",
		Long: `Predict how long a restore of all of a backup takes, from its objects and volumes and from
how long the last hundred restores took that the storage locations record; where these are
few the last drills count, too. The range holds the truth nine times of ten; few restores, or
none of that size, make it wide.

It is the time until everything is restored. Applications take some more until they are
ready: a drill measures that.`,
		Example: `  lifeboat restore estimate nightly-20260102020000
  lifeboat restore estimate nightly-20260102020000 -o json`,
		Args: cobra.ExactArgs(1),
	}
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.Flags().StringVar(&location, "storage-location", "", "where the backup lies")
	c.RunE = func(c *cobra.Command, names []string) error {
		return cs.WithBackend(c.Context(), func(be console.Backend) error {
			res, err := be.Read(c.Context(), contract.ReadInput{Verb: contract.ReadEstimate, Name: names[0], Location: location})
			if err != nil {
				return err
			}
			cs.NoteUnread(res.Unread)
			if res.Estimate == nil {
				return errors.New("the worker gave no estimate: is it older than this program? see lifeboat version")
			}
			if out.IsDocument() {
				return show.Document(cs.Stdout, out.Format, res.Estimate)
			}
			cs.sayEstimate(res.Estimate)
			return nil
		})
	}
	return c
}

func (cs Commands) sayEstimate(e *contract.RestoreEstimate) {
	const gib = 1 << 30
	cs.Say("Backup %q: %s, %s of %.1f GiB.\n", e.Backup, show.Plural(e.Objects, "object"), show.Plural(e.Volumes, "volume"), float64(e.Bytes)/gib)
	cs.Say("A restore takes about %s; nine times of ten between %s and %s.\n", roughly(e.Expected), roughly(e.Low), roughly(e.High))
	switch {
	case e.Runs == 0:
		cs.Say("No restore and no drill is recorded that this could rest on. Next: lifeboat restore create --from-backup %s\n", e.Backup)
	case e.Beyond:
		cs.Say("It rests on %s of the past, none of them half as large: a drill would tell more.\n", show.Plural(int64(e.Runs), "run"))
	default:
		cs.Say("It rests on %s of the past.\n", show.Plural(int64(e.Runs), "run"))
	}
}

// roughly is a duration in two digits or so: it is no better known.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", max(1, d.Seconds()))
	case d < 10*time.Minute:
		return d.Round(10 * time.Second).String()
	case d < 3*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	}
	return fmt.Sprintf("%.1fh", d.Hours())
}
